// Reads several tasks with one lookup before they are claimed, if the tasks are short.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "queue/datastore_context.h"
#include "queue/task_entity.h"

namespace sparkles {

// The claim of a task that was read ahead needs no lookup of its own. If the task has changed since
// then, the claim's commit conflicts. Used by one thread.
class ReadAhead {
 public:
  static constexpr int kMaxTasks = 10;
  // A task must be claimed within this time after it was read. If its job is killed in that time,
  // the claim watch notices the kill.
  static constexpr absl::Duration kMaxAge = absl::Seconds(1);

  // Borrows `context`.
  explicit ReadAhead(const DatastoreContext& context) : context_(context) {}

  // Call this for each candidate. Returns the task `id` if it was read, and nullopt if the caller
  // must look up the task and its job. `upcoming` has the following candidates, the next one at the
  // back. Reads `id` together with those that will be claimed within kMaxAge at the present pace.
  // Returns errors of the lookup.
  absl::StatusOr<std::optional<VersionedTask>> Take(const std::string& id,
                                                    const std::vector<std::string>& upcoming,
                                                    const CancelToken& cancel);

 private:
  int BatchSizeAtCurrentPace();
  absl::Status Read(const std::vector<std::string>& ids, const CancelToken& cancel);

  const DatastoreContext& context_;
  std::map<std::string, VersionedTask> tasks_;  // by id
  absl::Time read_at_;
  absl::Time last_take_ = absl::InfinitePast();
};

}  // namespace sparkles
