#include "summary/order.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "summary/groups.h"

namespace sparkles {
namespace {

// Takes the digits at the start of `text`, without leading zeros.
absl::string_view TakeNumber(absl::string_view& text) {
  size_t length = 0;
  while (length < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[length]))) {
    ++length;
  }
  absl::string_view number = text.substr(0, length);
  text.remove_prefix(length);
  number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
  return number;
}

// The value of a row in a column: a number or a text.
struct SortKey {
  std::optional<double> number;
  std::string text;
  bool known() const { return number || !text.empty(); }
};

SortKey KeyOf(const TaskRow& row, absl::string_view column) {
  const TaskUse& use = row.use;
  if (column == "task") return {std::nullopt, row.id};
  if (column == "status") return {std::nullopt, row.status};
  if (column == "reason") return {std::nullopt, ReasonOf(row)};
  if (column == "wall") return {use.wall_seconds, ""};
  if (column == "cpu") return {CpusUsed(use), ""};
  if (column == "memory") return {use.peak_memory_bytes, ""};
  if (column == "outputs") {
    return {use.outputs ? std::optional(static_cast<double>(*use.outputs)) : std::nullopt, ""};
  }
  double exit_code;
  if (absl::SimpleAtod(row.exit_code, &exit_code)) return {exit_code, ""};
  return {std::nullopt, row.exit_code};
}

// Negative, 0 or positive.
int Compare(const SortKey& a, const SortKey& b) {
  if (a.number && b.number) return *a.number < *b.number ? -1 : *a.number > *b.number;
  if (a.number || b.number) return a.number ? -1 : 1;
  return CompareNatural(a.text, b.text);
}

}  // namespace

int CompareNatural(absl::string_view a, absl::string_view b) {
  const auto is_digit = [](absl::string_view text) {
    return absl::ascii_isdigit(static_cast<unsigned char>(text[0]));
  };
  while (!a.empty() && !b.empty()) {
    if (is_digit(a) && is_digit(b)) {
      const absl::string_view left = TakeNumber(a);
      const absl::string_view right = TakeNumber(b);
      if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
      if (const int order = left.compare(right); order != 0) return order;
    } else {
      if (a[0] != b[0]) {
        return static_cast<unsigned char>(a[0]) < static_cast<unsigned char>(b[0]) ? -1 : 1;
      }
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  if (a.empty() && b.empty()) return 0;
  return a.empty() ? -1 : 1;
}

const std::vector<std::string>& SortColumns() {
  static const auto& columns = *new std::vector<std::string>{"task", "status", "exit",    "wall",
                                                             "cpu",  "memory", "outputs", "reason"};
  return columns;
}

std::vector<size_t> ChooseRows(const std::vector<TaskRow>& rows, const RowChoice& choice) {
  std::vector<size_t> chosen;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!choice.failed_only || IsFailure(rows[i])) chosen.push_back(i);
  }
  if (choice.sort_by.empty()) {
    if (choice.reverse) std::reverse(chosen.begin(), chosen.end());
    return chosen;
  }
  std::vector<SortKey> keys(rows.size());
  for (const size_t i : chosen) keys[i] = KeyOf(rows[i], choice.sort_by);
  return SortIndices(std::move(chosen), [&](size_t a, size_t b) {
    if (keys[a].known() != keys[b].known()) return keys[a].known();
    const int order = Compare(keys[a], keys[b]);
    return choice.reverse ? order > 0 : order < 0;
  });
}

}  // namespace sparkles
