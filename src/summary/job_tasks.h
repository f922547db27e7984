// Reads the tasks of a job from Datastore.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "gcp/datastore_client.h"
#include "summary/task_row.h"

namespace sparkles {

struct JobTasks {
  std::vector<TaskRow> rows;  // in the order of the tasks' numbers; without `use`
  bool killed = false;        // a user has killed the job
};

// Reads page after page, so a task that changes meanwhile appears in its old or its new state.
// `on_progress` gets the number of tasks after each page. NotFound if there is neither a job with
// this id nor a task of it; the message begins with "job ID". Repeats transient errors for up to a
// minute.
absl::StatusOr<JobTasks> ReadJobTasks(DatastoreClient& client, const std::string& job_id,
                                      Clock& clock, const CancelToken& cancel,
                                      absl::FunctionRef<void(size_t tasks)> on_progress);

}  // namespace sparkles
