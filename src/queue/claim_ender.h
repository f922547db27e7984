// Ends claims in Datastore: one commit, and a lookup only if the commit's answer is not clear.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "queue/datastore_context.h"
#include "queue/task_claimer.h"
#include "queue/task_entity.h"

namespace sparkles {

// Owner, version and time tell the claim from every other claim of the task.
using ClaimFence = JournalEntry;

// Used by one thread.
class ClaimEnder {
 public:
  // Borrows `context`.
  explicit ClaimEnder(const DatastoreContext& context) : context_(context) {}

  // Records the end of a claim: complete, failed, killed, or handed back (failure_reason goes into
  // the history). `held`, the task as the claim left it, saves the lookup. Aborted: the claim does
  // not stand any more. InvalidArgument: the server refuses this end. After another error repeat
  // the call: an end that was recorded in spite of the error is recognised.
  absl::Status End(const ClaimFence& fence, const Outcome& outcome,
                   std::optional<VersionedTask> held = std::nullopt);

  // Undoes a claim that was made, or whose commit may still arrive at the server. OK: the task was
  // handed back. Aborted: there is no such claim, and the commit can have no effect any more. For
  // that a pending task which the commit could replace gets a new version.
  absl::Status Revoke(const ClaimFence& fence, const std::string& reason);

 private:
  // An end whose commit may have been applied.
  struct UnknownEnd {
    std::string task_id;
    absl::Time claimed_at;
    absl::Time timestamp;  // of its entry in the history
  };
  // How a stored task relates to a claim.
  enum class Relation {
    kClaimed,      // the claim stands
    kEnded,        // the unknown end was recorded
    kReplaceable,  // pending, and the claim's commit could replace it
    kOther,        // changed by another client or worker
  };

  Relation Compare(const ClaimFence& fence, absl::string_view end_status, absl::Time end_time,
                   const TaskEntity& task) const;
  struct Target {
    Relation relation = Relation::kOther;
    std::optional<VersionedTask> task = std::nullopt;  // nullopt: deleted
  };
  absl::StatusOr<Target> LookUp(const ClaimFence& fence, absl::string_view end_status,
                                absl::Time end_time) const;
  // Forgets the unknown end: `status` tells what became of the claim.
  absl::Status Known(absl::Status status);
  absl::Status Write(const ClaimFence& fence, const Outcome& outcome, bool revoke,
                     std::optional<VersionedTask> held);

  const DatastoreContext& context_;
  std::optional<UnknownEnd> unknown_;
};

}  // namespace sparkles
