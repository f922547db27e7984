// The script that lets bash complete commands, flags and values.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace sparkles {

// Needs bash 4 or newer, and nothing else.
std::string BashCompletion(const CLI::App& app);

}  // namespace sparkles
