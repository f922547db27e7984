// Copies what a lifecycle script printed into the worker's log.
#pragma once

#include "absl/strings/string_view.h"
#include "base/log.h"

namespace sparkles {

// Logs the lines of the file behind `output_fd`, each with the script's `name` before it. Of more
// than 128 KiB the first and the last 64 KiB are logged, and how much is left out.
void LogScriptOutput(const Log& log, absl::string_view name, int output_fd);

}  // namespace sparkles
