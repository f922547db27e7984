// A process that is no child of the test's: what a killed worker may leave.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/support/temp_folder.h"

namespace sparkles {

// Starts a program that sleeps for ten minutes with `variable` ("NAME=value") as its environment.
// `folder` takes a file with its number.
pid_t StartStranger(const std::string& variable, const TempFolder& folder);

// Neither gone nor a zombie.
bool Lives(pid_t pid);

}  // namespace sparkles
