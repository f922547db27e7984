// Chooses the rows to show, and their order.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "summary/task_row.h"

namespace sparkles {

// The columns by which rows can be sorted: "task", "status", "exit", "wall", "cpu", "memory",
// "outputs" and "reason".
const std::vector<std::string>& SortColumns();

struct RowChoice {
  bool failed_only = false;
  std::string sort_by = "";  // one of SortColumns, or empty for the order of the rows
  bool reverse = false;      // the last row first
};

// Indices of rows. Rows without a value in the column come last, in both directions. Equal rows
// keep their order.
std::vector<size_t> ChooseRows(const std::vector<TaskRow>& rows, const RowChoice& choice);

// Negative, 0 or positive, as `a` comes before `b` or after it. Numbers in them are compared as
// numbers: "job.9" is before "job.10".
int CompareNatural(absl::string_view a, absl::string_view b);

}  // namespace sparkles
