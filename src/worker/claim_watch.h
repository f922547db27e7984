// Watches a claim while its task runs: notices that the job was killed or the claim was lost.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "queue/queue.h"
#include "task/confirm_claim.h"

namespace sparkles {

// From construction to destruction, a thread asks `queue` about `claim` every `period`, a quarter
// more or less, so that the workers of a fleet do not ask at the same time. Cancels `task` when the
// claim has ended, with kKilled or kClaimLost. After an error the thread asks again some seconds
// later.
class ClaimWatch {
 public:
  // Borrows `clock`, `queue`, `claim` and `task`. With an infinite period there is no thread and no
  // check. The destructor ends a running check.
  ClaimWatch(absl::Duration period, Clock& clock, Queue& queue, const Claim& claim,
             CancelToken& task, Log log);

  // Implements ConfirmClaim. Thread-safe. kRecent asks the queue only if the last answer is too
  // old, because the process was frozen or Datastore did not answer. kNow always asks, or waits for
  // a check of another thread that started later than this call. `cancel` ends the check. Cancels
  // no token.
  absl::StatusOr<ClaimState> Confirm(Freshness freshness, const CancelToken& cancel);

 private:
  void Watch(const CancelToken& done);
  absl::StatusOr<ClaimState> CheckClaim(const CancelToken& cancel);
  absl::StatusOr<ClaimState> ConfirmNow(const CancelToken& cancel);

  const absl::Duration period_;
  Clock& clock_;
  Queue& queue_;
  const Claim& claim_;
  CancelToken& task_;
  const Log log_;
  Mutex check_mutex_;  // held by Confirm(kNow) during its check
  Mutex mutex_;
  absl::Time last_answer_ ABSL_GUARDED_BY(mutex_);
  int64_t checks_ ABSL_GUARDED_BY(mutex_) = 0;     // number of started checks
  int64_t last_held_ ABSL_GUARDED_BY(mutex_) = 0;  // number of the last check with result kHeld
  std::optional<Housekeeper> thread_;
};

}  // namespace sparkles
