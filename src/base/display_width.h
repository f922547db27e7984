// Counts the columns that a text takes on a terminal, and cuts a text to some columns.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

// Wide characters (CJK, emoji) take two columns, combining characters none. A byte that is not
// UTF-8 and a control character take one column each.
size_t DisplayWidth(absl::string_view text);

// The longest start of `text` that takes at most `columns` columns.
absl::string_view StartWithin(absl::string_view text, size_t columns);

// `text`, or its start, "..." and its end if it takes more than `columns` columns. The result never
// takes more than `columns` columns.
std::string CutToWidth(absl::string_view text, size_t columns);

}  // namespace sparkles
