#include "http/url.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sparkles {

std::string PercentEncode(absl::string_view bytes) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded.push_back(c);
    } else {
      encoded.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
  return encoded;
}

std::string MakeQuery(const QueryParameters& parameters) {
  std::string query;
  for (const auto& [name, value] : parameters) {
    absl::StrAppend(&query, query.empty() ? "" : "&", PercentEncode(name), "=",
                    PercentEncode(value));
  }
  return query;
}

bool IsHttpUrl(absl::string_view url) {
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "http://") && !absl::ConsumePrefix(&rest, "https://")) {
    return false;
  }
  return !rest.empty() && rest[0] != '/' && rest[0] != '?' &&
         std::all_of(rest.begin(), rest.end(), [](char c) {
           return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != '#';
         });
}

}  // namespace sparkles
