// Passes environment variables as an argument, so that tests do not change the process's own.
#pragma once

#include <functional>
#include <string>

namespace sparkles {

// The value of a variable; empty if the variable is not set. Google's clients treat both cases
// alike.
using Environment = std::function<std::string(const char* name)>;

// The environment of this process. Do not call setenv at the same time.
std::string ProcessEnvironment(const char* name);

}  // namespace sparkles
