// What a machine's folders may hold when its last worker, to which nothing was done, has ended.
#pragma once

#include <string>
#include <vector>

namespace sparkles {

// The paths of what should not be there. `folder` holds tasks/ and cache/; `may_keep`: outputs that
// could not be delivered may lie there yet.
std::vector<std::string> LeftBehind(const std::string& folder, bool may_keep);

}  // namespace sparkles
