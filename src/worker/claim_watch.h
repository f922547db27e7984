// Looks after a claim while its task runs: was the job killed, does somebody else have the task
// now?
#pragma once

#include <thread>

#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "queue/queue.h"

namespace sparkles {

// From construction to destruction, asks `queue` about `claim` every `period` (a quarter more or
// less, so that a fleet does not ask at once), on a thread of its own, and cancels `task` when the
// claim has ended: kKilled or kClaimLost. An error is no answer: it asks again a period later.
class ClaimWatch {
 public:
  // Borrows all. With an infinite period nothing is asked, and there is no thread.
  ClaimWatch(absl::Duration period, Clock& clock, Queue& queue, const Claim& claim,
             CancelToken& task, Log log);
  // Ends a question that is under way.
  ~ClaimWatch();
  ClaimWatch(const ClaimWatch&) = delete;
  ClaimWatch& operator=(const ClaimWatch&) = delete;

  // To be called before what cannot be taken back, by one thread: where the last answer is older
  // than it should be (this process or its machine was frozen, Datastore away), asks now, and
  // cancels the task if the claim has ended. An error is no answer.
  void Confirm();

 private:
  void Watch();
  // False if the claim has ended.
  bool Ask();

  const absl::Duration period_;
  Clock& clock_;
  Queue& queue_;
  const Claim& claim_;
  CancelToken& task_;
  const Log log_;
  CancelToken done_;
  Mutex mutex_;
  absl::Time last_answer_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace sparkles
