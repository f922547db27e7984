// The content type under which an object is stored, so that a browser can show it.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

inline constexpr char kPlainText[] = "text/plain; charset=utf-8";
inline constexpr char kJsonType[] = "application/json";

// How many bytes SniffContentType looks at; browsers look at as many (WHATWG MIME Sniffing).
inline constexpr size_t kSniffedBytes = 512;

// By the extension of the object's name, without regard to case; empty for an extension that is
// not known, or none. Of "x.csv.gz" the last one counts: what is stored is a gzip file.
std::string ContentTypeOfName(absl::string_view name);

// By the first bytes: a known signature; else text/plain if no byte is a binary control character;
// else application/octet-stream.
std::string SniffContentType(absl::string_view first_bytes);

}  // namespace sparkles
