// Reads a task's spec, and adds the places of log and result.json that the queue knows.
#pragma once

#include "absl/status/status.h"
#include "base/activity.h"
#include "storage/object_store.h"
#include "task/task.h"
#include "task/task_spec.h"

namespace sparkles {

struct ResolvedSpec {
  // Complete if `status` is ok. Otherwise only the known places of log and result.json are set,
  // because the failure of the task is written there.
  TaskSpec spec;
  absl::Status status;
  std::string text = "";  // of the spec; empty if it could not be read
};

// Reads the spec from `task.args`, which is its text or its URL in `store`. Refuses a spec if no
// store accepts the URL of a result, or if two results have the same URL.
ResolvedSpec ReadSpec(const Task& task, ObjectStore& store, const Activity& activity);

}  // namespace sparkles
