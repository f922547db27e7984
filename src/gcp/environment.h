// Environment variables as an argument, so that tests need not change the process's own.
#pragma once

#include <functional>
#include <string>

namespace sparkles {

// The value of a variable; empty if it is not set (Google's clients do not tell these apart).
using Environment = std::function<std::string(const char* name)>;

// That of this process. Nobody may call setenv meanwhile.
std::string ProcessEnvironment(const char* name);

}  // namespace sparkles
