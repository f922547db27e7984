// Reads a task's spec, and completes the spec with what the queue knows of the task.
#pragma once

#include "absl/status/status.h"
#include "base/activity.h"
#include "storage/object_store.h"
#include "task/task.h"
#include "task/task_spec.h"

namespace sparkles {

struct ResolvedSpec {
  // Complete if `status` is ok. Otherwise the spec has only the places of log and result.json, as
  // far as they are known, because the failure of the task is written there.
  TaskSpec spec;
  absl::Status status;
  std::string text = "";  // of the spec; empty if it could not be read
};

// Reads the spec from `task.args`, which is its text or its URL in `store`. The spec is refused if
// a place for results is no place that a store takes, or if two results have the same place.
ResolvedSpec ReadSpec(const Task& task, ObjectStore& store, const Activity& activity);

}  // namespace sparkles
