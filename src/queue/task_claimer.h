// Claims one candidate with one lookup and one commit.
#pragma once

#include <optional>
#include <random>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/random.h"
#include "queue/datastore_context.h"
#include "queue/refusals.h"
#include "queue/task_entity.h"

namespace sparkles {

struct ClaimResult {
  enum class Kind {
    kClaimed,
    kTaken,     // the task is not pending any more
    kEnded,     // the task was recorded as killed or failed instead
    kUnusable,  // no worker can claim the task, for `reason`
  };
  Kind kind = Kind::kTaken;
  Claim claim = {};                        // kClaimed
  std::optional<VersionedTask> held = {};  // kClaimed: the task as the claim left it
  std::optional<RecordedEnd> ended = {};   // kEnded
  std::string reason = {};                 // kUnusable
  bool sent = false;  // a commit of the claim was sent, so that it may have been made for a while
};

// A claim is unknown from its entry in the journal until it is certain whether its commit was
// applied. If the answer to the commit is not clear, a lookup of the task decides:
// - The task has the claim: the claim was made.
// - The task has another stored version: the claim was not made and cannot be made any more.
// - The task is unchanged: the worker sends the same commit again.
// Used by one thread.
class TaskClaimer {
 public:
  // Borrows `context`.
  explicit TaskClaimer(const DatastoreContext& context) : context_(context) {}

  // Call this only if there is no unknown claim. `read` is the task if it was just read and its job
  // was not killed. With nullopt the task is looked up. After an error the claim may be unknown.
  // The error is ClaimNotPersistable if the journal cannot be written. Then no claim was made.
  absl::StatusOr<ClaimResult> Claim(const std::string& id, std::optional<VersionedTask> read,
                                    const CancelToken& cancel) {
    return TryUntilKnown(id, std::move(read), cancel);
  }

  // The unknown claim, or null.
  const JournalEntry* unknown() const { return unknown_ ? &unknown_->entry : nullptr; }
  // Makes the unknown claim, or finds out that it was made or cannot be made. After an error the
  // claim stays unknown.
  absl::StatusOr<ClaimResult> ResolveUnknown(const CancelToken& cancel) {
    return TryUntilKnown(unknown_->entry.task_id, std::nullopt, cancel);
  }
  // Drops the unknown claim and its entry in the journal. Call this only if the claim was not made
  // and cannot be made any more.
  void ForgetUnknown();

 private:
  struct UnknownClaim {
    JournalEntry entry;
    VersionedTask update;  // the commit: the claimed task, and the stored version to replace
    bool sent = false;     // a copy of the commit may still arrive at the server
  };

  absl::StatusOr<ClaimResult> TryUntilKnown(const std::string& id,
                                            std::optional<VersionedTask> read,
                                            const CancelToken& cancel);
  // One lookup and one commit. nullopt if the result is not known yet.
  absl::StatusOr<std::optional<ClaimResult>> TryOnce(const std::string& id,
                                                     const CancelToken& cancel);
  // Commits the claim, or the end, of a task that was read.
  absl::StatusOr<std::optional<ClaimResult>> TryCommit(VersionedTask found, bool job_killed);
  // Returns the unknown claim if `stored` has it. Drops the claim if it cannot be made any more.
  std::optional<ClaimResult> ConfirmUnknownClaim(const VersionedTask& stored);
  // Writes the claim into the journal and makes it the unknown claim.
  absl::Status BeginClaim(VersionedTask found);
  // Sends the commit of the unknown claim.
  absl::StatusOr<std::optional<ClaimResult>> SendUnknown();
  // Records `end` instead of a claim.
  absl::StatusOr<std::optional<ClaimResult>> CommitEnd(VersionedTask stored,
                                                       const RecordedEnd& end);
  // A random time within the last second. Another worker with the same owner name is not likely to
  // use the same time.
  absl::Time MakeClaimTime();
  ClaimResult Claimed(VersionedTask held, absl::Time claimed_at) const;

  const DatastoreContext& context_;
  std::optional<UnknownClaim> unknown_;
  Refusals refusals_;  // of the unknown claim
  std::minstd_rand random_{RandomSeed()};
};

}  // namespace sparkles
