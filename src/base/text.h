// Small questions about text that comes from outside.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

// The length of the well-formed UTF-8 character (RFC 3629: no overlong forms, no surrogates) that
// `text` starts with; 0 if there is none.
size_t Utf8Length(absl::string_view text);

// True if `text` is well-formed UTF-8.
bool IsUtf8(absl::string_view text);

// True if `text` holds a NUL, a line end or another ASCII control character.
bool HasControlCharacter(absl::string_view text);

// At most `max_bytes` of `text`. If `text` is longer: its start, " ... " and its end. Never cuts
// inside a UTF-8 character.
std::string CutText(absl::string_view text, size_t max_bytes);

// `text` with control characters and malformed UTF-8 written as \n, \t or \xHH, so that it is one
// well-formed line.
std::string PrintableText(absl::string_view text);

// "1.5 GB", "17 KB", "312 B": powers of 1000.
std::string HumanBytes(double bytes);

}  // namespace sparkles
