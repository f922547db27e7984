// Ends claims in Datastore: one commit, and a lookup only where that does not tell.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "queue/datastore_context.h"
#include "queue/task_claimer.h"
#include "queue/task_entity.h"

namespace sparkles {

// Whose claim it is; `entry.version` and `entry.claimed_at` are the fence.
using ClaimFence = JournalEntry;

// Used by one thread.
class ClaimEnder {
 public:
  // Borrows `context`.
  explicit ClaimEnder(const DatastoreContext& context) : context_(context) {}

  // Records the end of a claim: complete, failed, killed, or handed back (then `reason` goes into
  // the history). `held` saves the lookup: the task as the claim left it. Aborted: the claim is not
  // there any more. InvalidArgument: the server refuses this end. After another error repeat the
  // call: an end that was recorded in spite of the error is recognised.
  absl::Status End(const ClaimFence& fence, const Outcome& outcome,
                   std::optional<HeldTask> held = std::nullopt);

  // Undoes a claim that may have been made, or may yet arrive at the server. OK: the task was
  // handed back. Aborted: there is no such claim and there never will be: a pending task that the
  // claim could still replace was changed, so that the claim is in conflict with that.
  absl::Status Revoke(const ClaimFence& fence, const std::string& reason);

 private:
  // An end whose commit may have been applied.
  struct Unknown {
    std::string task_id;
    absl::Time claimed_at;
    absl::Time timestamp;  // of its entry in the history
  };
  enum class Found { kOurs, kEnded, kPending, kOther };

  // What the stored task says about the claim.
  Found Judge(const ClaimFence& fence, absl::string_view entry, absl::Time timestamp,
              const TaskEntity& task) const;
  absl::Status Write(const ClaimFence& fence, const Outcome& outcome, bool revoke,
                     std::optional<HeldTask> held);

  const DatastoreContext& context_;
  std::optional<Unknown> unknown_;
};

}  // namespace sparkles
