// Copies the output of a lifecycle script into the worker's log.
#pragma once

#include "absl/strings/string_view.h"
#include "base/log.h"

namespace sparkles {

// Logs each line of the file `output_fd` with the prefix `name`, the name of the script. Of a file
// of more than 128 KiB, logs the first and the last 64 KiB and the number of bytes between them.
void LogScriptOutput(const Log& log, absl::string_view name, int output_fd);

}  // namespace sparkles
