// Which worker this is.
#pragma once

#include <string>

namespace sparkles {

// "0.1.0"; what --expectedVersion is compared with.
std::string WorkerVersion();
// "sparklesworker 0.1.0 (commit 0123456789ab, native lane)".
std::string VersionLine();
// That line, and the libraries and CA roots that are built in, a line each.
std::string VersionDetails();

}  // namespace sparkles
