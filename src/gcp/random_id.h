// Makes unique identifiers.
#pragma once

#include <string>

namespace sparkles {

// A version 4 UUID in lower case: "1b4e28ba-2fa1-41d2-883f-0016d3cca427".
std::string RandomUuid();

}  // namespace sparkles
