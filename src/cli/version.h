// The version of this worker.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

// For example "0.1.0".
std::string WorkerVersion();
// True if `version`, which a client expects, is this worker's version or the version of a Go worker
// with the same protocol (5.0.0, 5.8.2).
bool IsExpectedVersion(absl::string_view version);
// For example "sparklesworker 0.1.0 (commit 0123456789ab, native lane)".
std::string VersionLine();
// VersionLine, a line with the libraries, and a line with the built-in CA certificates.
std::string VersionDetails();

}  // namespace sparkles
