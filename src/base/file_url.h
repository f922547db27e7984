// file:///absolute/path <-> /absolute/path. The bytes of a path stand in the URL as they are, as
// those of an object name do in a gs:// URL: nothing is percent-encoded.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

inline constexpr absl::string_view kFileScheme = "file://";

// The path of the object `url`. InvalidArgument, naming the URL, unless it is a file:// URL of an
// absolute path without a host, "..", NUL, or a slash at its end.
absl::StatusOr<std::string> ParseFileUrl(absl::string_view url);

// The canonical form of a file:// URL, equal for all URLs of one place: "//" and "/./" become "/".
// URLs of other schemes stay as they are, since "a//b" and "a/b" are two objects there.
std::string CanonicalUrl(absl::string_view url);

// True if two canonical URLs cannot both be objects: they are equal, or one names a file that is a
// directory in the other.
bool UrlsConflict(absl::string_view a, absl::string_view b);

// `path` is absolute.
std::string MakeFileUrl(absl::string_view path);

}  // namespace sparkles
