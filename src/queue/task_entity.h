// Reads and changes the entity of a task in Datastore (docs/wire-entities.md).
// A property may have any type: reading it returns a value or a problem. Unknown properties are
// kept.
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

// The id of the task's job: the part before the last dot, or the whole id if it has no dot.
std::string JobIdOf(absl::string_view task_id);
// True if a user has killed the job.
bool IsKilledJob(const Entity& job);

// `time` in microseconds, as an entity stores it. The digits below a millisecond distinguish the
// claims of workers with the same owner name.
absl::Time StampOf(absl::Time time);

class TaskEntity {
 public:
  TaskEntity(std::string id, Entity entity) : id_(std::move(id)), entity_(std::move(entity)) {}

  const std::string& id() const { return id_; }
  const Entity& entity() const { return entity_; }

  // False if the task is certainly not pending, or belongs to another cluster.
  bool MayBePendingIn(absl::string_view cluster) const;
  // The problem that prevents a claim, with the name of the property. Empty if there is none.
  std::string Problem() const;
  bool IsKilled() const;
  // 0 if the entity has no valid version.
  int64_t version() const;
  std::vector<HistoryEntry> History() const;
  Task ToTask() const;

  // True if the claim with this fence stands.
  bool IsClaimOf(absl::string_view owner, int64_t version, absl::Time claimed_at) const;
  // True if that claim is the last claim in the history. The claim may have ended.
  bool WasLastClaimedBy(absl::string_view owner, absl::Time claimed_at) const;
  // True if the history has such an entry after that claim. Entries of earlier claims do not count,
  // because they may have the same time.
  bool HasEntryAfter(absl::string_view owner, absl::Time claimed_at, absl::string_view status,
                     absl::Time timestamp) const;

  // Each change adds 1 to the version and an entry to the history, sets last_updated if the entity
  // has it, and clears exit_code and failure_reason of earlier attempts. `claimed_at` is the time
  // in the history.
  void Claim(absl::string_view owner, absl::string_view monitor_address, absl::Time claimed_at,
             absl::Time now);
  void Complete(absl::string_view exit_code, absl::Time now);
  void Fail(absl::string_view reason, absl::Time now);
  void Kill(absl::string_view reason, absl::Time now);
  // Changes the same properties as a reset by the client.
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
