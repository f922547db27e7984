// Claims one candidate: one lookup, one commit.
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
    kTaken,     // another worker has it, or the task is not pending any more
    kEnded,     // the task was recorded as killed or failed instead
    kUnusable,  // no worker can claim it: `reason` says why
  };
  Kind kind = Kind::kTaken;
  Claim claim = {};                        // kClaimed
  std::optional<VersionedTask> held = {};  // kClaimed: as the claim left it
  std::optional<RecordedEnd> ended = {};   // kEnded
  std::string reason = {};                 // kUnusable
};

// A claim is unknown from its entry in the journal until an answer says whether its commit was
// applied. Without a clear answer a lookup tells. The task carries the claim: the claim was made.
// The task has another stored version: the claim was not made, and cannot be made any more. The
// task is unchanged: the worker sends the same commit again. Used by one thread.
class TaskClaimer {
 public:
  // Borrows `context`.
  explicit TaskClaimer(const DatastoreContext& context) : context_(context) {}

  // Call it only if there is no unknown claim. `read`: the task if it was read just now, and its
  // job was not killed; else it is looked up. After an error the claim may be unknown.
  // CannotWriteDown: the journal cannot be written, and no claim was made.
  absl::StatusOr<ClaimResult> Claim(const std::string& id, std::optional<VersionedTask> read,
                                    const CancelToken& cancel) {
    return TryUntilKnown(id, std::move(read), cancel);
  }

  // The unknown claim; null if there is none.
  const JournalEntry* unknown() const { return unknown_ ? &unknown_->entry : nullptr; }
  // Finds out whether the unknown claim was made, or makes it. After an error it stays unknown.
  absl::StatusOr<ClaimResult> SettleUnknown(const CancelToken& cancel) {
    return TryUntilKnown(unknown_->entry.task_id, std::nullopt, cancel);
  }
  // Drops the unknown claim and its entry in the journal. Call it when the claim was not made and
  // cannot be made any more.
  void ForgetUnknown();

 private:
  struct UnknownClaim {
    JournalEntry entry;
    VersionedTask update;  // its commit: the task as claimed, and the stored version to replace
    bool sent = false;     // a copy of the commit may be under way
  };

  absl::StatusOr<ClaimResult> TryUntilKnown(const std::string& id,
                                            std::optional<VersionedTask> read,
                                            const CancelToken& cancel);
  // One lookup and one commit. nullopt: it is not known yet.
  absl::StatusOr<std::optional<ClaimResult>> TryOnce(const std::string& id,
                                                     const CancelToken& cancel);
  // The commit of a task that was read.
  absl::StatusOr<std::optional<ClaimResult>> TryCommit(VersionedTask found, bool job_killed);
  // Returns the unknown claim if `stored` carries it. Drops the claim if it cannot be made any
  // more.
  std::optional<ClaimResult> TakeIfMade(const VersionedTask& stored);
  // Writes the claim into the journal. From now on it is the unknown claim.
  absl::Status BeginClaim(VersionedTask found);
  // Sends the commit of the unknown claim.
  absl::StatusOr<std::optional<ClaimResult>> SendUnknown();
  // Records `end` instead of a claim.
  absl::StatusOr<std::optional<ClaimResult>> CommitEnd(VersionedTask stored,
                                                       const RecordedEnd& end);
  // A time of about now that no other worker of this name is likely to write for the same task.
  absl::Time MakeClaimTime();
  ClaimResult Claimed(VersionedTask held, absl::Time claimed_at) const;

  const DatastoreContext& context_;
  std::optional<UnknownClaim> unknown_;
  Refusals refusals_;  // of the unknown claim
  std::minstd_rand random_{RandomSeed()};
};

}  // namespace sparkles
