// Copies the output of a lifecycle script into the worker's log.
#pragma once

#include "absl/strings/string_view.h"
#include "base/log.h"

namespace sparkles {

// Logs the lines of the file `output_fd`, each after the script's `name`. If the file has more than
// 128 KiB: the first and the last 64 KiB, and the number of bytes left out between them.
void LogScriptOutput(const Log& log, absl::string_view name, int output_fd);

}  // namespace sparkles
