// The status block: some lines at the bottom of a terminal, below the log.
// It computes the bytes to write, and LogSink writes them.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sparkles {

// In characters.
struct TerminalSize {
  int columns = 80;
  int rows = 24;
  friend bool operator==(const TerminalSize& a, const TerminalSize& b) {
    return a.columns == b.columns && a.rows == b.rows;
  }
};

// The block begins with an empty row, and the cursor stays at the start of this row. So one
// sequence removes the block even if the terminal has wrapped its lines after a resize, and a line
// of another program lands above the block.
//
// Everything that is written to the terminal must come from this object. Not thread-safe.
class StatusBlock {
 public:
  // The bytes that replace the block by `lines`, made for a terminal of `size`. A line must be
  // narrower than the terminal, and must end without a colour. Lines for which the terminal has no
  // room are left out. Empty if the same block is shown already.
  std::string Show(const std::vector<std::string>& lines, TerminalSize size);
  // The same with one line of ASCII, for a terminal that knows no escape sequences. The cursor
  // stays at the start of the line. Use only one of the two methods for a terminal.
  std::string ShowDumb(absl::string_view line, TerminalSize size);
  // The bytes that remove the block. Empty if no block is shown.
  std::string Remove();
  // The bytes that print `text`, whole lines, above the block. If the block was made for another
  // size than `size`, also removes the block.
  std::string PrintAbove(absl::string_view text, TerminalSize size);
  // The block is not on the screen any more.
  void Forget() { drawing_.clear(); }

  bool shown() const { return !drawing_.empty(); }

  // The bytes that remove a block with `dumb_columns` in its line. 0 means a block of Show.
  static std::string EraseBytes(size_t dumb_columns);
  size_t dumb_columns() const { return dumb_columns_; }

 private:
  std::string drawing_;  // the bytes that draw the block; empty if there is none
  TerminalSize size_;
  size_t dumb_columns_ = 0;
};

}  // namespace sparkles
