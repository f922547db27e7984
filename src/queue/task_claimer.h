// Claims one candidate: one lookup, one commit.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "queue/datastore_context.h"
#include "queue/task_entity.h"

namespace sparkles {

// A claimed task as Datastore stores it.
struct HeldTask {
  TaskEntity task;
  int64_t stored_version = 0;
};

struct ClaimResult {
  enum class Kind {
    kClaimed,
    kTaken,     // another worker has it, or the task is not pending any more
    kEnded,     // the task was recorded as killed or failed instead
    kUnusable,  // no worker can claim it: `reason` says why
  };
  Kind kind = Kind::kTaken;
  Claim claim = {};                       // kClaimed
  std::optional<HeldTask> held = {};      // kClaimed
  std::optional<RecordedEnd> ended = {};  // kEnded
  std::string reason = {};                // kUnusable
};

// A claim is unknown while no answer says that its commit was applied. A lookup then shows the
// claim, or another version of the task: the claim was not made. While the task is unchanged, the
// same commit is sent again. Used by one thread.
class TaskClaimer {
 public:
  // Borrows `context`.
  explicit TaskClaimer(const DatastoreContext& context) : context_(context) {}

  // Not while there is an unknown claim. An error: the claim is unknown now, or Datastore or the
  // journal could not be used. CannotWriteDown: the journal.
  absl::StatusOr<ClaimResult> Claim(const std::string& id, const CancelToken& cancel) {
    return Repeat(id, cancel);
  }

  // The unknown claim; null if there is none.
  const JournalEntry* unknown() const { return unknown_ ? &unknown_->entry : nullptr; }
  // Finds out what became of the unknown claim, or makes it. An error: it stays unknown.
  absl::StatusOr<ClaimResult> SettleUnknown(const CancelToken& cancel) {
    return Repeat(unknown_->entry.task_id, cancel);
  }
  // The unknown claim was not made, and cannot be made any more.
  void ForgetUnknown();

 private:
  struct Unknown {
    JournalEntry entry;
    HeldTask update;    // the commit: the task as claimed, and the stored version that it replaces
    bool sent = false;  // at least one copy may be under way
  };

  absl::StatusOr<ClaimResult> Repeat(const std::string& id, const CancelToken& cancel);
  // One lookup and one commit. nullopt: look again.
  absl::StatusOr<std::optional<ClaimResult>> TryOnce(const std::string& id,
                                                     const CancelToken& cancel);
  // nullopt: `stored` does not carry the unknown claim. If that claim cannot be made any more, it
  // is forgotten.
  std::optional<ClaimResult> Recognize(const HeldTask& stored);
  // Writes the claim into the journal and makes it the unknown one. Only then it can be sent.
  absl::Status BeginClaim(HeldTask found, absl::Time now);
  // Sends the commit of the unknown claim.
  absl::StatusOr<std::optional<ClaimResult>> SendUnknown();
  absl::StatusOr<std::optional<ClaimResult>> CommitEnd(HeldTask stored, const RecordedEnd& end,
                                                       absl::Time now);
  ClaimResult Claimed(HeldTask held, absl::Time claimed_at) const;

  const DatastoreContext& context_;
  std::optional<Unknown> unknown_;
};

}  // namespace sparkles
