// Aligns the cells of a table under each other, and cuts a wide table to the terminal.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sparkles {

// Measure all lines first, then make them, so that a long table need not be kept. The cells of a
// line are separated by tabs, and must be printable. All lines have the same number of cells.
class TableLayout {
 public:
  void Measure(absl::string_view cells);
  // Makes the table at most `width` columns wide: cuts the middle of long cells in the columns
  // `text_columns`, and then, if the terminal is very narrow, the ends of the lines.
  void CutTo(size_t width, std::initializer_list<size_t> text_columns);
  // Appends the line to `text`, with a line end and without blanks before it.
  void AppendLine(absl::string_view cells, std::string& text) const;

 private:
  std::vector<size_t> widths_;
  size_t limit_ = 0;  // 0: none
};

// A whole table. `width` 0: nothing is cut.
std::string FormatLines(const std::vector<std::string>& lines, size_t width,
                        std::initializer_list<size_t> text_columns);

}  // namespace sparkles
