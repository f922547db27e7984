// Examines and shortens text from outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

// The length of the well-formed UTF-8 character at the start of `text` (RFC 3629: no overlong
// forms, no surrogates); 0 if there is none.
size_t Utf8Length(absl::string_view text);

// True if `text` is well-formed UTF-8.
bool IsUtf8(absl::string_view text);

// True if `text` contains a NUL, a line end or another ASCII control character.
bool HasControlCharacter(absl::string_view text);

// `text`, or its start, " ... " and its end if it is longer than `max_bytes`. Never cuts inside a
// UTF-8 character.
std::string CutText(absl::string_view text, size_t max_bytes);

// `text` as one well-formed line: control characters and malformed UTF-8 become \n, \t or \xHH.
std::string PrintableText(absl::string_view text);

// "1.5 GB", "17 KB", "312 B": powers of 1000.
std::string HumanBytes(double bytes);

// A number for `text` that is the same in all processes (64-bit FNV-1a); 0 for an empty text. Two
// texts of a few hundred hardly ever have the same number, unless somebody chose them for that.
uint64_t TextKey(absl::string_view text);

}  // namespace sparkles
