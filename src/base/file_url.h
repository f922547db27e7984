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

// `url` as the one text for all that name the same place: "//" and "/./" in a path mean "/". URLs
// of other schemes, in which such names differ, stay as they are.
std::string CanonicalUrl(absl::string_view url);

// Whether no two objects can have these canonical URLs: they are the same, or one names a file that
// the other has for a directory.
bool UrlsConflict(absl::string_view a, absl::string_view b);

// `path` is absolute.
std::string MakeFileUrl(absl::string_view path);

}  // namespace sparkles
