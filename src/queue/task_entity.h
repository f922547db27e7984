// A task as Datastore holds it, and the changes that a worker makes to it:
// docs/wire-contract.md section 3.
// The one hard idea: nothing here trusts the entity. Whatever type a property has, reading it gives
// a value or a problem that can be named, and what is not ours stays as it is.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gcp/entity.h"
#include "task/task.h"

namespace sparkles {

inline constexpr char kTaskKind[] = "SparklesV5Task";
inline constexpr char kJobKind[] = "Job";
// The kind of the tasks of later clients, which this worker cannot run.
inline constexpr char kNewerTaskKind[] = "SparklesV6Task";

// The job of the task with that id: all before the last dot; the whole id if it has none.
std::string JobIdOf(absl::string_view task_id);
// Whether the user killed the job.
bool IsKilledJob(const Entity& job);

// `time` as an entity can keep it: in microseconds. Their digits below the millisecond tell apart
// what workers of one name write at the same time.
absl::Time StampOf(absl::Time time);

class TaskEntity {
 public:
  TaskEntity(std::string id, Entity entity) : id_(std::move(id)), entity_(std::move(entity)) {}

  const std::string& id() const { return id_; }
  const Entity& entity() const { return entity_; }

  // False if it says clearly that it is not pending, or of another cluster.
  bool MayBePendingIn(absl::string_view cluster) const;
  // What keeps it from being claimed, with the name of the property; empty: nothing.
  std::string Problem() const;
  bool IsKilled() const;
  // 0 if there is none.
  int64_t version() const;
  std::vector<HistoryEntry> History() const;
  Task ToTask() const;

  // Whether it is claimed by the claim that wrote this.
  bool IsClaimOf(absl::string_view owner, int64_t version, absl::Time claimed_at) const;
  // Whether nobody has claimed it since that claim, which may be over.
  bool WasLastClaimedBy(absl::string_view owner, absl::Time claimed_at) const;
  // Whether its history has such an entry after that claim: of an earlier one there may be an entry
  // of the same moment.
  bool HasEntryAfter(absl::string_view owner, absl::Time claimed_at, absl::string_view status,
                     absl::Time timestamp) const;

  // The changes. Each adds 1 to the version and an entry to the history, sets last_updated where
  // there is one, and forgets what an earlier attempt left (exit_code, failure_reason).
  // `claimed_at` is the time in the history.
  void Claim(absl::string_view owner, absl::string_view monitor_address, absl::Time claimed_at,
             absl::Time now);
  void Complete(absl::string_view exit_code, absl::Time now);
  void Fail(absl::string_view reason, absl::Time now);
  void Kill(absl::string_view reason, absl::Time now);
  // In the shape of the client's reset.
  void HandBack(absl::string_view reason, absl::Time now);

 private:
  void Change(absl::string_view status, absl::Time now, absl::string_view owner,
              absl::string_view reason);
  void Replace(absl::string_view property, Json value);
  std::optional<std::string> Text(absl::string_view property) const;

  std::string id_;
  Entity entity_;
};

// A task, and the version that Datastore gave to the stored entity.
struct VersionedTask {
  TaskEntity task;
  int64_t stored_version = 0;
};

}  // namespace sparkles
