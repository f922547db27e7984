// The manual page, in the language of man(7).
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace sparkles {

// docs/sparklesworker.1 is this text: `make man` writes the file, and a test compares the two.
std::string ManualPage(const CLI::App& app);

}  // namespace sparkles
