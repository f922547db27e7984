// Reads one entry of a tasks file: a JSON object with the properties of a task entity.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "task/task.h"

namespace sparkles {

struct FileTask {
  Task task;            // `args` is a spec as JSON text, or the URL of a spec
  std::string problem;  // all reasons why the task must fail, or empty
};

// The places that a task writes to, as canonical URLs. Empty if the task does not write there, or
// if `args` is the URL of a spec.
struct TaskPlaces {
  std::string result;
  std::string log;
  std::string outputs;  // the prefix of all outputs
};

TaskPlaces PlacesOf(const Json& entry, const Task& task);

bool operator==(const FileTask& a, const FileTask& b);

// InvalidArgument if the entry has no usable id.
absl::StatusOr<std::string> ReadTaskId(const Json& entry);

// Reads all other properties of the task `id`. The task's index is `position` + 1 if neither the
// entry nor the id has an index.
FileTask ReadFileTask(const Json& entry, std::string id, size_t position);

}  // namespace sparkles
