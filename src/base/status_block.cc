#include "base/status_block.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sparkles {

std::string StatusBlock::Show(const std::vector<std::string>& lines, TerminalSize size) {
  const size_t room = static_cast<size_t>(std::max(size.rows, 2) - 1);
  const size_t count = std::min(lines.size(), room);
  if (count == 0) return Remove();
  // Each row is overwritten in place and nothing is erased before, so that the block does not
  // flicker.
  std::string drawing = "\r\x1b[K";
  for (size_t i = 0; i < count; ++i) {
    absl::StrAppend(&drawing, "\n\r", lines[i], i + 1 < count ? "\x1b[K" : "\x1b[J");
  }
  absl::StrAppend(&drawing, "\r\x1b[", count, "A");
  const bool same = drawing == drawing_ && size == size_;
  drawing_ = std::move(drawing);
  size_ = size;
  return same ? "" : drawing_;
}

std::string StatusBlock::ShowDumb(absl::string_view line, TerminalSize size) {
  if (line.empty()) return Remove();
  const size_t before = shown() ? dumb_columns_ : 0;
  const std::string drawing = absl::StrCat("\r", line, "\r");
  const bool same = drawing == drawing_ && size == size_;
  drawing_ = drawing;
  size_ = size;
  dumb_columns_ = line.size();
  const std::string rest(before - std::min(before, line.size()), ' ');
  return same ? "" : absl::StrCat("\r", line, rest, "\r");
}

std::string StatusBlock::Remove() {
  const std::string bytes = shown() ? EraseBytes(dumb_columns_) : "";
  Forget();
  return bytes;
}

std::string StatusBlock::PrintAbove(absl::string_view text, TerminalSize size) {
  if (!shown()) return std::string(text);
  if (!(size == size_)) Forget();
  return absl::StrCat(EraseBytes(dumb_columns_), text, drawing_);
}

std::string StatusBlock::EraseBytes(size_t dumb_columns) {
  if (dumb_columns > 0) return absl::StrCat("\r", std::string(dumb_columns, ' '), "\r");
  return "\r\x1b[J";
}

}  // namespace sparkles
