// The seam to where tasks come from and where their end is recorded.
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

// A task that is ours until it is finished or handed back.
struct Claim {
  Task task;
  int attempt = 1;  // 1 for the first claim ever of this task
  // What our claim wrote: the fence that Finish and HandBack check. A queue whose tasks can be made
  // anew under the same id, with versions that start over, has the time as well.
  int64_t version = 0;
  absl::Time claimed_at;
};

// The end of a task that was recorded while another one was to be claimed: it cannot be run, or its
// end had been given up.
struct RecordedEnd {
  std::string task_id;
  Outcome::Kind kind = Outcome::Kind::kFailed;
  std::string reason;
};

// An error of ClaimOne that lies with this machine's disk alone: its claims cannot be written down.
// Outages, refused credentials and proxies may pass, and take whole fleets; this does not.
absl::Status CannotWriteDown(absl::Status status);
bool IsCannotWriteDown(const absl::Status& status);

// Used by one thread, Check aside. All errors but those that are said to be final are worth another
// try later; the caller waits and repeats.
class Queue {
 public:
  virtual ~Queue() = default;

  // Takes one pending task; nullopt if there is none now. No two claimers get the same task. Tasks
  // that were claimed kMaxDisorderlyClaims times without an orderly end are failed on the way.
  // Aborted: there are pending tasks, but this round got none (others were faster): look again
  // soon. After another error a claim may have been made: the next call finds out. A worker that
  // makes no next call calls SettleLastClaim. If `cancel` is cancelled: nullopt, or Cancelled.
  virtual absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken& cancel) = 0;

  // Hands back the task that the last ClaimOne may have claimed in spite of its error, with
  // `reason`. May change a pending task, so that a delayed claim has no effect. OK: no such claim
  // stands, or can be made any more. Call it before the worker ends, until it is OK or no time is
  // left.
  virtual absl::Status SettleLastClaim(const std::string& reason) {
    (void)reason;
    return absl::OkStatus();
  }

  // Records the end of a claim (complete, failed, killed). Repeat it after an error: an end that
  // was recorded in spite of the error is recognised. Final errors: Aborted if the claim is no
  // longer ours (nothing was recorded, the result is to be dropped); InvalidArgument if such an end
  // cannot be recorded.
  virtual absl::Status Finish(const Claim& claim, const Outcome& outcome) = 0;

  // Makes the task pending again, with the reason in its history. Aborted as above.
  virtual absl::Status HandBack(const Claim& claim, const std::string& reason) = 0;

  // The end of the claim could not be recorded, and the caller will not try again. If claims end
  // with their worker, any worker may take the task now; else a later ClaimOne may record the end.
  virtual void GiveUp(const Claim&, const Outcome&) {}

  // Whether the claim still stands. Thread-safe; blocks no longer than until `cancel`.
  virtual absl::StatusOr<ClaimState> Check(const Claim& claim, const CancelToken& cancel) = 0;

  // What ClaimOne has ended since the last call.
  virtual std::vector<RecordedEnd> TakeEnds() { return {}; }

  // Whether a task may still appear although ClaimOne found none (a cloud queue) or the list is
  // fixed (a file).
  virtual bool MoreMayCome() const = 0;
};

}  // namespace sparkles
