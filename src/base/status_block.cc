#include "base/status_block.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sparkles {

std::string StatusBlock::Show(const std::vector<std::string>& lines, TerminalSize size) {
  const bool shown_before = shown();
  drawing_.clear();
  size_ = size;
  const size_t shown_lines =
      std::min(lines.size(), static_cast<size_t>(std::max(size.rows, 2) - 1));
  if (shown_lines == 0) return std::string(shown_before ? kErase : "");
  // Each row is overwritten in place and nothing is erased before, so that the block does not
  // flicker.
  drawing_ = "\r\x1b[K";
  for (size_t i = 0; i < shown_lines; ++i) {
    absl::StrAppend(&drawing_, "\n\r", lines[i], i + 1 < shown_lines ? "\x1b[K" : "\x1b[J");
  }
  absl::StrAppend(&drawing_, "\r\x1b[", shown_lines, "A");
  return drawing_;
}

std::string StatusBlock::PrintAbove(absl::string_view text, TerminalSize size) {
  if (!shown()) return std::string(text);
  if (!(size == size_)) drawing_.clear();
  return absl::StrCat(kErase, text, drawing_);
}

}  // namespace sparkles
