// The seam to the queue, which provides tasks and records their ends.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "task/confirm_claim.h"
#include "task/outcome.h"
#include "task/task.h"

namespace sparkles {

// A task that this worker holds until the task is finished or handed back.
struct Claim {
  Task task;
  int attempt = 1;  // 1 for the first claim of this task
  // The fence: Finish and HandBack check that the task still has this version. The Datastore queue
  // also checks the time, because a client can delete a task and create it again.
  int64_t version = 0;
  absl::Time claimed_at;
};

// The end of a task that ClaimOne has recorded: the task cannot run, or its end was left unrecorded
// before.
struct RecordedEnd {
  std::string task_id;
  Outcome::Kind kind = Outcome::Kind::kFailed;
  std::string reason;
};

// Marks an error of ClaimOne that this machine's disk causes: the claim cannot be written to the
// journal or the state file. Unlike an outage, such an error concerns only this machine and lasts.
absl::Status ClaimNotPersistable(absl::Status status);
bool IsClaimNotPersistable(const absl::Status& status);

// Used by one thread, except Check. After an error that is not final, the caller waits and repeats
// the call.
class Queue {
 public:
  virtual ~Queue() = default;

  // Claims one pending task. No two workers get the same task. Fails tasks that have
  // kMaxAbandonedClaims.
  //   nullopt: there is no pending task now.
  //   Aborted: there are pending tasks, but other workers were faster, or a claim of this call was
  //     lost before its result was known. Call again soon.
  //   nullopt or Cancelled: `cancel` is cancelled.
  //   Any other error: a task may have been claimed. The next call finds out. If there is no next
  //     call, call RevokeUnknownClaim.
  virtual absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken& cancel) = 0;

  // Hands back, with `reason`, the task that the last ClaimOne may have claimed in spite of its
  // error. May change a pending task, so that a delayed claim has no effect. OK if no such claim
  // stands or can still be made. Call this before the worker ends, until it succeeds or no time is
  // left.
  virtual absl::Status RevokeUnknownClaim(const std::string& reason) {
    (void)reason;
    return absl::OkStatus();
  }

  // Records the end of a claim (complete, failed, killed). Repeat the call after an error. The call
  // then recognises an end that was recorded in spite of the error. Final errors: Aborted if the
  // claim is lost, so that nothing was recorded; InvalidArgument if the queue refuses this end.
  virtual absl::Status Finish(const Claim& claim, const Outcome& outcome) = 0;

  // Makes the task pending again, with the reason in its history. Errors are those of Finish.
  virtual absl::Status HandBack(const Claim& claim, const std::string& reason) = 0;

  // Call this if the end of the claim could not be recorded and the caller does not try again. A
  // tasks file releases the claim. The Datastore queue records the end in a later ClaimOne.
  virtual void LeaveUnrecorded(const Claim&, const Outcome&) {}

  // Asks whether the claim still stands. Thread-safe. Returns when `cancel` is cancelled.
  virtual absl::StatusOr<ClaimState> Check(const Claim& claim, const CancelToken& cancel) = 0;

  // The ends that ClaimOne has recorded since the last call.
  virtual std::vector<RecordedEnd> TakeRecordedEnds() { return {}; }

  // True if it makes sense to wait for more tasks after ClaimOne has found none.
  virtual bool CanReceiveNewTasks() const = 0;
};

}  // namespace sparkles
