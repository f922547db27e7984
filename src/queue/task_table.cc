#include "queue/task_table.h"

#include <utility>

namespace sparkles {
namespace {

void ApplyTo(TaskRecord& record, const StateChange& change) {
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
}

}  // namespace

TaskTable::TaskTable(std::vector<FileTask> tasks) { Append(std::move(tasks)); }

void TaskTable::Clear() {
  records_.assign(tasks_.size(), TaskRecord());
  others_.clear();
  claimed_.clear();
  for (size_t i = 0; i < tasks_.size(); ++i) pending_.insert(pending_.end(), i);
}

void TaskTable::Apply(const StateChange& change) {
  const std::optional<size_t> position = Find(change.task_id);
  ApplyTo(position ? records_[*position] : others_[change.task_id], change);
  if (position) Classify(*position);
}

void TaskTable::Append(std::vector<FileTask> tasks) {
  for (FileTask& task : tasks) {
    const size_t position = tasks_.size();
    tasks_.push_back(std::move(task));
    const std::string& id = tasks_.back().task.id;
    position_of_.emplace(id, position);
    const auto other = others_.extract(id);
    records_.push_back(other.empty() ? TaskRecord() : std::move(other.mapped()));
    Classify(position);
  }
}

TaskChanges TaskTable::Replace(std::vector<FileTask> tasks) {
  TaskTable old(std::exchange(*this, TaskTable({})));
  others_ = std::move(old.others_);
  for (size_t i = 0; i < old.size(); ++i) {
    if (!old.records_[i].history.empty()) {
      others_.emplace(old.tasks_[i].task.id, std::move(old.records_[i]));
    }
  }
  Append(std::move(tasks));
  TaskChanges changes;
  for (size_t i = 0; i < old.size(); ++i) {
    const FileTask& before = old.tasks_[i];
    const std::optional<size_t> position = Find(before.task.id);
    if (!position) {
      changes.removed.push_back(before.task.id);
    } else if (!(tasks_[*position] == before)) {
      changes.changed.push_back(before.task.id);
    }
  }
  changes.added = size() + changes.removed.size() - old.size();
  return changes;
}

std::optional<size_t> TaskTable::Find(absl::string_view task_id) const {
  const auto found = position_of_.find(task_id);
  if (found == position_of_.end()) return std::nullopt;
  return found->second;
}

const TaskRecord* TaskTable::FindRecord(const std::string& task_id) const {
  const std::optional<size_t> position = Find(task_id);
  if (position) return &records_[*position];
  const auto other = others_.find(task_id);
  return other == others_.end() ? nullptr : &other->second;
}

void TaskTable::Classify(size_t position) {
  pending_.erase(position);
  claimed_.erase(position);
  const TaskStatus status = records_[position].status;
  if (status == TaskStatus::kPending) pending_.insert(pending_.end(), position);
  if (status == TaskStatus::kClaimed) claimed_.insert(position);
}

}  // namespace sparkles
