// Looks after a claim while its task runs: was the job killed, does somebody else have the task
// now?
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

// From construction to destruction, asks `queue` about `claim` every `period` (a quarter more or
// less, so that a fleet does not ask at once), on a thread of its own, and cancels `task` when the
// claim has ended: kKilled or kClaimLost. An error is no answer: it asks again some seconds later.
class ClaimWatch {
 public:
  // Borrows all. With an infinite period nothing is asked, and there is no thread. The destructor
  // ends a question that is under way.
  ClaimWatch(absl::Duration period, Clock& clock, Queue& queue, const Claim& claim,
             CancelToken& task, Log log);

  // The answer to ConfirmClaim; thread-safe. kRecent asks where the last answer is older than it
  // should be (this process or its machine was frozen, Datastore away). kNow asks, unless another
  // thread does so anyhow. `cancel` ends the question. Cancels nothing.
  absl::StatusOr<ClaimState> Confirm(Freshness freshness, const CancelToken& cancel);

 private:
  void Watch(const CancelToken& done);
  absl::StatusOr<ClaimState> Ask(const CancelToken& cancel);
  absl::StatusOr<ClaimState> ConfirmNow(const CancelToken& cancel);

  const absl::Duration period_;
  Clock& clock_;
  Queue& queue_;
  const Claim& claim_;
  CancelToken& task_;
  const Log log_;
  Mutex asking_;  // held by the one thread that asks for kNow
  Mutex mutex_;
  absl::Time last_answer_ ABSL_GUARDED_BY(mutex_);
  int64_t questions_ ABSL_GUARDED_BY(mutex_) = 0;  // begun so far
  int64_t last_ours_ ABSL_GUARDED_BY(mutex_) = 0;  // the last of them that was answered with kOurs
  std::optional<Housekeeper> thread_;
};

}  // namespace sparkles
