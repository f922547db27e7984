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

// The places that a task writes to, as canonical URLs. Empty if the task does not write there, or
// if only its spec, given by URL, can tell.
struct TaskPlaces {
  std::string result;
  std::string log;
  std::string outputs;  // the prefix of all outputs
};

TaskPlaces PlacesOf(const Json& entry, const Task& task);

bool operator==(const FileTask& a, const FileTask& b);

// InvalidArgument if the entry has no usable id.
absl::StatusOr<std::string> ReadTaskId(const Json& entry);

// Reads all other properties of the task `id`. `position`, from 0, is the task's index if neither
// entry nor id has one.
FileTask ReadFileTask(const Json& entry, std::string id, size_t position);

}  // namespace sparkles
