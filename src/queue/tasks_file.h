// The file of --tasksFile (contract.md section 8): a JSON array of tasks. One bad entry must not
// keep the others from running, so what is wrong with an entry is data here, not an error.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "task/task.h"

namespace sparkles {

struct FileTask {
  Task task;            // `args` as the file has it: a spec as JSON text, or the URL of one
  std::string problem;  // why it cannot be run; it is then to be recorded as failed. Empty: none
};

struct TasksFile {
  std::vector<FileTask> tasks;  // in the file's order; each id once
  // Everything that is wrong, in the file's order, for people. Entries are counted from 0, as in
  // `tasks[3] (task_id "x.4"): args: is missing or empty`. An entry without a usable id is told of
  // here only.
  std::vector<std::string> problems;
};

// InvalidArgument if `text` is not a JSON array.
absl::StatusOr<TasksFile> ParseTasksFile(absl::string_view text);

// The same for a file; every error names it.
absl::StatusOr<TasksFile> ReadTasksFile(const std::string& path);

}  // namespace sparkles
