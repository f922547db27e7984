// Finds files that the last, undisturbed worker of a machine should have removed.
#pragma once

#include <string>
#include <vector>

namespace sparkles {

// The paths of unexpected files. `directory` contains tasks/ and cache/. `may_keep`: outputs that
// could not be delivered may still exist.
std::vector<std::string> UnexpectedFiles(const std::string& directory, bool may_keep);

}  // namespace sparkles
