// Writes the summary as a table, as JSON and as CSV (docs/summary.md).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "summary/advice.h"
#include "summary/order.h"
#include "summary/statistics.h"
#include "summary/task_row.h"

namespace sparkles {

struct Report {
  std::vector<TaskRow> rows;  // all tasks
  std::vector<size_t> shown;  // the rows to show, in order
  Statistics statistics;      // of all tasks
  Advice advice;
};

Report MakeReport(std::vector<TaskRow> rows, const RowChoice& choice);

// A table of the shown rows, then the statistics. `width` is that of the terminal; 0 means that
// nothing is cut.
std::string FormatTable(const Report& report, size_t width);

// One object: the shown rows, then the statistics.
std::string FormatJson(const Report& report);

// A header and the shown rows, as in RFC 4180.
std::string FormatCsv(const Report& report);

}  // namespace sparkles
