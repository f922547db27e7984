#include "queue/task_table.h"

#include <utility>

namespace sparkles {

TaskTable::TaskTable(std::vector<FileTask> tasks) : tasks_(std::move(tasks)) {
  for (size_t i = 0; i < tasks_.size(); ++i) position_of_.emplace(tasks_[i].task.id, i);
  Clear();
}

void TaskTable::Clear() {
  records_.assign(tasks_.size(), TaskRecord());
  claimed_.clear();
  pending_.clear();
  for (size_t i = 0; i < tasks_.size(); ++i) pending_.insert(pending_.end(), i);
}

void TaskTable::Apply(const StateChange& change) {
  const std::optional<size_t> position = Find(change.task_id);
  if (!position) return;
  TaskRecord& record = records_[*position];
  record.status = change.status;
  record.owner = change.owner;
  record.exit_code = change.exit_code;
  record.failure_reason = change.failure_reason;
  record.version = change.version;
  const bool reset = change.status == TaskStatus::kPending;
  record.history.push_back({.timestamp = change.timestamp,
                            .status = std::string(reset ? kResetEntry : WireName(change.status)),
                            .owner = change.owner,
                            .failure_reason = change.failure_reason});
  pending_.erase(*position);
  claimed_.erase(*position);
  if (change.status == TaskStatus::kPending) pending_.insert(*position);
  if (change.status == TaskStatus::kClaimed) claimed_.insert(*position);
}

std::optional<size_t> TaskTable::Find(absl::string_view task_id) const {
  const auto found = position_of_.find(task_id);
  if (found == position_of_.end()) return std::nullopt;
  return found->second;
}

}  // namespace sparkles
