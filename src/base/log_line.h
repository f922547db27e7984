// Appends the worker's lines to the log of a task, between the lines of the command.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// Appends the lines "sparkles: TEXT", with one write. If `fd` can be read and the file does not end
// with a line end, a line end comes first. Control characters in a text are escaped. `name` is for
// the error message.
absl::Status AppendLogLines(int fd, const std::vector<std::string>& texts, absl::string_view name);

}  // namespace sparkles
