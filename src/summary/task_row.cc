#include "summary/task_row.h"

#include "absl/strings/str_cat.h"

namespace sparkles {

std::optional<double> CpusUsed(const TaskUse& use) {
  if (!use.cpu_seconds || !use.wall_seconds || *use.wall_seconds <= 0) return std::nullopt;
  return *use.cpu_seconds / *use.wall_seconds;
}

bool IsFailure(const TaskRow& row) {
  return row.status == "failed" ||
         (row.status == "complete" && !row.exit_code.empty() && row.exit_code != "0");
}

bool IsSuccess(const TaskRow& row) { return row.status == "complete" && row.exit_code == "0"; }

bool IsUnfinished(const TaskRow& row) {
  return row.status == "pending" || row.status == "claimed" || row.status == "abandoned";
}

bool HasResult(const TaskRow& row) { return row.status == "complete" || row.status == "failed"; }

std::string ReasonOf(const TaskRow& row) {
  if (!row.failure_reason.empty()) return row.failure_reason;
  // The column EXIT says the same as the detail of an exit code.
  const TaskUse& use = row.use;
  if (!use.cause_kind.empty() && use.cause_kind != "exit_code") {
    return absl::StrCat(use.cause_kind, ": ", use.cause_detail);
  }
  return use.remark;
}

}  // namespace sparkles
