// Makes unique identifiers.
#pragma once

#include <string>

namespace sparkles {

// A version 4 UUID in lower case: "1b4e28ba-2fa1-41d2-883f-0016d3cca427". Thread-safe. A process
// that is forked without exec must not call it, because it would make the identifiers of its
// parent.
std::string RandomUuid();

}  // namespace sparkles
