// What became of the tasks of a file, for a summary: read-only, and possible while workers run.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "queue/task_entry.h"
#include "task/task.h"

namespace sparkles {

struct TaskState {
  std::string task_id;
  TaskStatus status = TaskStatus::kPending;
  bool abandoned = false;      // kClaimed, but its worker is gone: the next one will take it over
  std::string owner;           // the last worker, unless it gave the task back
  std::string exit_code;       // kComplete only
  std::string failure_reason;  // also: why a pending task was given back
  int attempts = 0;            // how often it was claimed
  absl::Time last_claimed = absl::InfinitePast();
  absl::Time last_changed = absl::InfinitePast();
};

// One for each of `tasks`, in their order. Without a state file every task is pending. `damage`
// gets messages about damaged lines of the state file, and may be null.
absl::StatusOr<std::vector<TaskState>> ReadStates(const std::string& tasks_path,
                                                  std::vector<FileTask> tasks,
                                                  std::vector<std::string>* damage = nullptr);

}  // namespace sparkles
