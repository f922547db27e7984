#include "http/transport.h"

#include "absl/strings/match.h"

namespace sparkles {

void HttpHeaders::Add(absl::string_view name, absl::string_view value) {
  entries_.emplace_back(name, value);
}

const std::string* HttpHeaders::Find(absl::string_view name) const {
  for (const auto& [entry_name, value] : entries_) {
    if (absl::EqualsIgnoreCase(entry_name, name)) return &value;
  }
  return nullptr;
}

std::vector<std::string> HttpHeaders::All(absl::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [entry_name, value] : entries_) {
    if (absl::EqualsIgnoreCase(entry_name, name)) values.push_back(value);
  }
  return values;
}

}  // namespace sparkles
