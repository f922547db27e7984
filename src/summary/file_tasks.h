// Reads the tasks of a tasks file and their states.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "summary/task_row.h"

namespace sparkles {

struct FileTasks {
  std::vector<TaskRow> rows;          // in the order of the file; without `use`
  std::vector<std::string> problems;  // of the tasks file and of the state file
};

// Works while workers run. Errors, and problems, begin with a path.
absl::StatusOr<FileTasks> ReadFileTasks(const std::string& tasks_file);

}  // namespace sparkles
