// Which worker this is.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

// "0.1.0".
std::string WorkerVersion();
// Whether this worker can stand in for `version`, which a client expects: its own version, or one
// of the Go worker whose protocol it speaks (contract.md section 2).
bool IsExpectedVersion(absl::string_view version);
// "sparklesworker 0.1.0 (commit 0123456789ab, native lane)".
std::string VersionLine();
// That line, and the libraries and CA roots that are built in, a line each.
std::string VersionDetails();

}  // namespace sparkles
