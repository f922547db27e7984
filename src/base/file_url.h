// Converts between file:///absolute/path and /absolute/path.
// The URL has the bytes of the path unchanged, without percent-encoding, as a gs:// URL has those
// of an object name.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

inline constexpr absl::string_view kFileScheme = "file://";

// The path of the object `url`. InvalidArgument, with the URL, unless `url` is a file:// URL of an
// absolute path without a host, "..", NUL, or a slash at the end.
absl::StatusOr<std::string> ParseFileUrl(absl::string_view url);

// The canonical form of a file:// URL, equal for all URLs of one path: "//" and "/./" become "/".
// URLs of other schemes stay unchanged, because "a//b" and "a/b" are two objects there.
std::string CanonicalUrl(absl::string_view url);

// True if two canonical URLs cannot both be objects: they are equal, or one names a file that is a
// directory in the other.
bool UrlsConflict(absl::string_view a, absl::string_view b);

// `path` is absolute.
std::string MakeFileUrl(absl::string_view path);

}  // namespace sparkles
