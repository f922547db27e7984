// A process that is not a child of the test, like one that a killed worker leaves behind.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/support/temp_directory.h"

namespace sparkles {

// Starts a program that sleeps for ten minutes with `variable` ("NAME=value") as its environment.
// Writes a file with its pid to `directory`.
pid_t StartUnrelatedProcess(const std::string& variable, const TempDirectory& directory);

// True if the process exists and is not a zombie.
bool IsAlive(pid_t pid);

}  // namespace sparkles
