#include "summary/table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/display_width.h"

namespace sparkles {
namespace {

constexpr size_t kGap = 2;
// The table of the tasks then fits into 80 columns.
constexpr size_t kLeastColumn = 8;

// Removes the first cell of a line, and returns it.
absl::string_view TakeCell(absl::string_view& cells) {
  const size_t length = std::min(cells.find('\t'), cells.size());
  const absl::string_view cell = cells.substr(0, length);
  cells.remove_prefix(std::min(length + 1, cells.size()));
  return cell;
}

}  // namespace

void TableLayout::Measure(absl::string_view cells) {
  for (size_t column = 0; !cells.empty(); ++column) {
    if (column == widths_.size()) widths_.push_back(0);
    widths_[column] = std::max(widths_[column], DisplayWidth(TakeCell(cells)));
  }
}

void TableLayout::CutTo(size_t width, std::initializer_list<size_t> text_columns) {
  limit_ = width;
  size_t whole = 0;
  for (const size_t each : widths_) whole += (whole == 0 ? 0 : kGap) + each;
  for (; whole > limit_; --whole) {
    size_t* widest = nullptr;
    for (const size_t column : text_columns) {
      if (widest == nullptr || widths_[column] > *widest) widest = &widths_[column];
    }
    if (widest == nullptr || *widest <= kLeastColumn) return;
    --*widest;
  }
}

void TableLayout::AppendLine(absl::string_view cells, std::string& text) const {
  std::string line;
  for (size_t column = 0; !cells.empty(); ++column) {
    const std::string cell = CutToWidth(TakeCell(cells), widths_[column]);
    absl::StrAppend(&line, cell, std::string(widths_[column] - DisplayWidth(cell) + kGap, ' '));
  }
  const absl::string_view kept = limit_ == 0 ? line : StartWithin(line, limit_);
  absl::StrAppend(&text, absl::StripTrailingAsciiWhitespace(kept), "\n");
}

std::string FormatLines(const std::vector<std::string>& lines, size_t width,
                        std::initializer_list<size_t> text_columns) {
  TableLayout layout;
  for (const std::string& cells : lines) layout.Measure(cells);
  if (width > 0) layout.CutTo(width, text_columns);
  std::string text;
  for (const std::string& cells : lines) layout.AppendLine(cells, text);
  return text;
}

}  // namespace sparkles
