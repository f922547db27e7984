// Counts the columns that a text takes on a terminal.
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace sparkles {

// Wide characters (CJK, emoji) take two columns, combining ones none. Bytes that are not UTF-8,
// and control characters, count as one column each.
size_t DisplayWidth(absl::string_view text);

}  // namespace sparkles
