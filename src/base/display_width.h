// Counts the columns that a text takes on a terminal.
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace sparkles {

// Wide characters (CJK, emoji) take two columns, combining characters none. A byte that is not
// UTF-8 and a control character take one column each.
size_t DisplayWidth(absl::string_view text);

}  // namespace sparkles
