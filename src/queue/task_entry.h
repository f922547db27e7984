// One entry of a tasks file: a JSON object with the properties of the task entity.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "task/task.h"

namespace sparkles {

struct FileTask {
  Task task;            // `args` as the file has it: a spec as JSON text, or the URL of one
  std::string problem;  // why the task must be recorded as failed; empty: it can be run
};

// What a task writes, as canonical URLs; empty if it writes none, or only its spec, which is
// elsewhere, can tell.
struct TaskPlaces {
  std::string result;
  std::string log;
  std::string outputs;  // where all outputs lie below
};

TaskPlaces PlacesOf(const Json& entry, const Task& task);

bool operator==(const FileTask& a, const FileTask& b);

// InvalidArgument if the entry has no usable id.
absl::StatusOr<std::string> ReadTaskId(const Json& entry);

// All other properties of the task `id`. `position` counts from 0; it is the index of a task whose
// entry and id name none.
FileTask ReadFileTask(const Json& entry, std::string id, size_t position);

}  // namespace sparkles
