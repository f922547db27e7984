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
  // Removes the block from the cursor on.
  static constexpr absl::string_view kErase = "\r\x1b[J";

  // The bytes that replace the block by `lines`, made for a terminal of `size`. A line must be
  // narrower than the terminal, and must end without a colour. Lines for which the terminal has no
  // room are left out. No lines: the bytes that remove the block.
  std::string Show(const std::vector<std::string>& lines, TerminalSize size);
  // The bytes that print `text`, whole lines, above the block. If the block was made for another
  // size than `size`, also removes the block.
  std::string PrintAbove(absl::string_view text, TerminalSize size);
  // The block is not on the screen any more.
  void Forget() { drawing_.clear(); }

  bool shown() const { return !drawing_.empty(); }

 private:
  std::string drawing_;  // the bytes that draw the block; empty if there is none
  TerminalSize size_;
};

}  // namespace sparkles
