// The tasks of a tasks file with their states, in memory.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "queue/state_line.h"
#include "queue/task_entry.h"
#include "task/task.h"

namespace sparkles {

// The state of one task, with the properties of a task entity.
struct TaskRecord {
  TaskStatus status = TaskStatus::kPending;
  std::string owner;
  std::string exit_code;
  std::string failure_reason;
  int64_t version = kFirstVersion;
  std::vector<HistoryEntry> history;
};

// The differences between the old and the new list of tasks.
struct TaskChanges {
  size_t added = 0;
  std::vector<std::string> changed;  // ids
  std::vector<std::string> removed;
};

// The position in the file, from 0, identifies a task until the next Replace. Not thread-safe.
class TaskTable {
 public:
  explicit TaskTable(std::vector<FileTask> tasks);
  TaskTable(TaskTable&&) = default;
  TaskTable& operator=(TaskTable&&) = default;

  // Resets each task to its first state.
  void Clear();
  // Applies one change. Keeps changes of unknown tasks, because the file may get these tasks later.
  void Apply(const StateChange& change);

  // Adds tasks at the end. Their ids must be new.
  void Append(std::vector<FileTask> tasks);
  // Replaces the list of tasks. Each task keeps its state.
  TaskChanges Replace(std::vector<FileTask> tasks);

  size_t size() const { return tasks_.size(); }
  std::optional<size_t> Find(absl::string_view task_id) const;
  const FileTask& task(size_t position) const { return tasks_[position]; }
  const TaskRecord& record(size_t position) const { return records_[position]; }
  // The record of a task in the file, or of another task with changes. Otherwise null.
  const TaskRecord* FindRecord(const std::string& task_id) const;
  // Positions by status, in the file's order, so that the next candidate needs no search.
  const std::set<size_t>& pending() const { return pending_; }
  const std::set<size_t>& claimed() const { return claimed_; }

 private:
  void Classify(size_t position);

  std::deque<FileTask> tasks_;                       // a deque, because position_of_ points into it
  std::map<absl::string_view, size_t> position_of_;  // by the ids in tasks_
  std::deque<TaskRecord> records_;                   // parallel to tasks_
  std::map<std::string, TaskRecord> others_;         // of tasks that are not in the file
  std::set<size_t> pending_;
  std::set<size_t> claimed_;
};

}  // namespace sparkles
