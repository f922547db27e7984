// Puts names into URLs. The one hard idea: a name is *one* segment or value; every byte that could
// mean something to a URL is encoded, slashes too, and nothing is ever decoded or normalised.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace sparkles {

// Every byte but A-Z a-z 0-9 - . _ ~ as %XX.
std::string PercentEncode(absl::string_view bytes);

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

// "a=1&b=x%20y": names and values encoded, in the given order. Also the body of a form
// (application/x-www-form-urlencoded), where %20 is as good as "+".
std::string MakeQuery(const QueryParameters& parameters);

// Whether it can be the URL of a request, or what one begins with: http or https, a host, printable
// ASCII, no fragment.
bool IsHttpUrl(absl::string_view url);

}  // namespace sparkles
