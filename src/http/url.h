// Encodes names for use in URLs.
// A name is exactly one segment or value. Therefore all special bytes are encoded, including
// slashes, and nothing is decoded or normalised.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace sparkles {

// Encodes each byte except A-Z a-z 0-9 - . _ ~ as %XX.
std::string PercentEncode(absl::string_view bytes);

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

// For example "a=1&b=x%20y": encoded names and values in the given order. This is also a valid body
// of a form (application/x-www-form-urlencoded).
std::string MakeQuery(const QueryParameters& parameters);

// True if `url` can be the URL of a request, or the start of one: http or https, a host, printable
// ASCII, no fragment.
bool IsHttpUrl(absl::string_view url);

}  // namespace sparkles
