// Reads the states of the tasks of a file, for `summary`. Works while workers run.
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
  bool abandoned = false;      // kClaimed, but the worker is dead
  std::string owner;           // the last worker, unless it handed the task back
  std::string exit_code;       // kComplete only
  std::string failure_reason;  // of a failure, or of the hand-back of a pending task
  int attempts = 0;            // the number of claims
  absl::Time last_claimed = absl::InfinitePast();
  absl::Time last_changed = absl::InfinitePast();
};

// Returns the state of each task, in the order of `tasks`. Without a state file each task is
// pending. `damage` gets messages about damaged lines of the state file. It may be null.
absl::StatusOr<std::vector<TaskState>> ReadStates(const std::string& tasks_path,
                                                  std::vector<FileTask> tasks,
                                                  std::vector<std::string>* damage = nullptr);

}  // namespace sparkles
