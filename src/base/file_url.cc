#include "base/file_url.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sparkles {
namespace {

// The reason why `url` is not valid; empty if it is valid.
absl::string_view ProblemOf(absl::string_view url) {
  absl::string_view path = url;
  if (!absl::ConsumePrefix(&path, kFileScheme)) return "not a file:// URL";
  if (path.empty()) return "has no path";
  if (path.front() != '/') return "must be file:///absolute/path, without a host";
  if (path.back() == '/') return "names a directory, not a file";
  if (path.find('\0') != absl::string_view::npos) return "holds a NUL character";
  const std::vector<absl::string_view> elements = absl::StrSplit(path, '/');
  if (std::find(elements.begin(), elements.end(), "..") != elements.end()) return "holds \"..\"";
  return "";
}

}  // namespace

absl::StatusOr<std::string> ParseFileUrl(absl::string_view url) {
  const absl::string_view problem = ProblemOf(url);
  if (!problem.empty()) return absl::InvalidArgumentError(absl::StrCat(url, ": ", problem));
  return std::string(absl::StripPrefix(url, kFileScheme));
}

std::string CanonicalUrl(absl::string_view url) {
  absl::string_view path = url;
  if (!absl::ConsumePrefix(&path, kFileScheme)) return std::string(url);
  std::vector<absl::string_view> elements = absl::StrSplit(path, '/', absl::SkipEmpty());
  std::erase(elements, ".");
  return absl::StrCat(kFileScheme, "/", absl::StrJoin(elements, "/"));
}

bool UrlsConflict(absl::string_view a, absl::string_view b) {
  if (a == b) return true;
  if (!absl::StartsWith(a, kFileScheme)) return false;
  const auto lies_below = [](absl::string_view url, absl::string_view file) {
    return absl::StartsWith(url, file) && url.substr(file.size(), 1) == "/";
  };
  return lies_below(a, b) || lies_below(b, a);
}

std::string MakeFileUrl(absl::string_view path) { return absl::StrCat(kFileScheme, path); }

}  // namespace sparkles
