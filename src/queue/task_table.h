// The tasks of a file and their states, as far as the state file has been read.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "queue/state_line.h"
#include "queue/tasks_file.h"
#include "task/task.h"

namespace sparkles {

// The state of one task: its entity's properties.
struct TaskRecord {
  TaskStatus status = TaskStatus::kPending;
  std::string owner;
  std::string exit_code;
  std::string failure_reason;
  int64_t version = kFirstVersion;
  std::vector<HistoryEntry> history;
};

// Tasks are named by their position in the file, from 0. Not thread-safe.
class TaskTable {
 public:
  explicit TaskTable(std::vector<FileTask> tasks);
  TaskTable(TaskTable&&) = default;

  // Makes every task pending and untouched.
  void Clear();
  // Changes of tasks that are not in the file (it may have been edited) are ignored.
  void Apply(const StateChange& change);

  size_t size() const { return tasks_.size(); }
  std::optional<size_t> Find(absl::string_view task_id) const;
  const FileTask& task(size_t position) const { return tasks_[position]; }
  const TaskRecord& record(size_t position) const { return records_[position]; }
  // Positions by status, in the file's order: finding the next candidate costs no search.
  const std::set<size_t>& pending() const { return pending_; }
  const std::set<size_t>& claimed() const { return claimed_; }

 private:
  std::vector<FileTask> tasks_;
  std::map<absl::string_view, size_t> position_of_;  // the ids are those in tasks_
  std::vector<TaskRecord> records_;                  // parallel to tasks_
  std::set<size_t> pending_;
  std::set<size_t> claimed_;
};

}  // namespace sparkles
