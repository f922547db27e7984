// Checks that the places of a task's results can be written, and removes outputs that have none.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/activity.h"
#include "base/log.h"
#include "storage/object_store.h"
#include "task/task_spec.h"

namespace sparkles {

// Call it before the command, which may run for hours. An error if the outputs, the log or the
// result.json of `spec` cannot be written to their places. `attempt` counts from 1; a later attempt
// replaces the log and result.json of an earlier one. A log that cannot be replaced is no error,
// but a warning in `log`.
absl::Status CheckResultPlaces(const TaskSpec& spec, int attempt, ObjectStore& store,
                               const Activity& activity, const Log& log);

// Removes from `outputs`, which are paths in the work directory, those that the log or result.json
// of `spec` would replace, or that keep them from being written. An error if there are such
// outputs.
absl::Status RemoveReservedOutputs(const TaskSpec& spec, std::vector<std::string>& outputs);

}  // namespace sparkles
