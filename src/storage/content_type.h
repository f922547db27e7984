// Finds the content type of an object, so that a browser can show the object.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

inline constexpr char kPlainText[] = "text/plain; charset=utf-8";
inline constexpr char kJsonType[] = "application/json";

// SniffContentType reads this many bytes, like browsers (WHATWG MIME Sniffing).
inline constexpr size_t kSniffedBytes = 512;

// The content type for the extension of an object's name, in upper or lower case. Empty for an
// unknown extension, or none. For "x.csv.gz" the last extension counts: the object is a gzip file.
std::string ContentTypeOfName(absl::string_view name);

// The content type for the first bytes: the type of a known signature, or text/plain if no byte is
// a binary control character, or application/octet-stream.
std::string SniffContentType(absl::string_view first_bytes);

}  // namespace sparkles
