// The main loop of a worker: claims a task, runs it and records its end, until no task is left.
#pragma once

#include <functional>
#include <random>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/stop_time.h"
#include "queue/queue.h"
#include "task/confirm_claim.h"
#include "task/outcome.h"
#include "worker/fault_streak.h"

namespace sparkles {

struct ConsumerOptions {
  // How long the worker waits for more tasks when the queue is empty.
  absl::Duration linger = absl::ZeroDuration();
  // Interval at which the claim is checked while its task runs. If infinite, it is not checked.
  absl::Duration watch_period = absl::InfiniteDuration();
  // How long the worker retries to record the end of a task.
  absl::Duration record_max_elapsed = absl::Minutes(5);
  // Called before each claim. May be empty. While it returns an error, the worker claims nothing.
  // If the error lasts for five minutes, the worker ends as unfit.
  std::function<absl::Status()> check_machine = nullptr;
  // When it is cancelled, the worker finishes its task and claims no more. A child of `stop`.
  // Borrowed, may be null.
  const CancelToken* drain = nullptr;
  // Limits the time to record an end after a request to stop.
  StopTime stop_time = {};
  // Counts for several workers of one machine. Borrowed; null if the worker counts for itself.
  FaultStreak* streak = nullptr;
};

class Consumer {
 public:
  enum class End { kQueueEmpty, kStopped, kDrained, kMachineUnfit, kQueueBroken };
  using Execute = absl::FunctionRef<Outcome(const Claim& claim, const CancelToken& cancel,
                                            ConfirmClaim confirm_claim)>;

  // Borrows all. `stop` ends the loop. The running task is handed back with the reason of `stop`.
  Consumer(ConsumerOptions options, Clock& clock, Queue& queue, CancelToken& stop, Log log)
      : options_(std::move(options)),
        clock_(clock),
        queue_(queue),
        stop_(stop),
        log_(std::move(log)) {}

  // Blocks until the worker must end. Every claim is then finished or handed back. If the queue
  // accepts neither within record_max_elapsed (after a request to stop: StopTime::record_limit),
  // the task stays claimed, and the next worker can hand it back as abandoned. kQueueBroken: a
  // person must repair the tasks file or its state file, or the file was missing for five minutes.
  End Run(Execute execute);

 private:
  // Cancelled when the worker must claim no more tasks.
  const CancelToken& no_more_claims() const {
    return options_.drain != nullptr ? *options_.drain : stop_;
  }
  // How a round of the loop ended. kTrouble: the queue gave an error. kUnfit: this machine did.
  enum class Round { kWorked, kIdle, kContended, kTrouble, kUnfit, kBroken };
  End RunRounds(Execute execute);
  // Hands back the task that the last ClaimOne may have claimed in spite of its error.
  void RevokeUnknownClaim();
  // False if this machine stays unfit.
  bool WaitUntilFit();
  Round ClaimAndRun(Execute execute);
  // Logs the ends that the queue has recorded during ClaimOne or RevokeUnknownClaim.
  void LogRecordedEnds();
  bool IsQueueBroken(const absl::Status& status) const;
  void Record(const Claim& claim, Outcome& outcome);
  // Repeats `attempt` until it succeeds, its error is final, or record_max_elapsed has passed.
  // Returns the last status. Calls `failed` before each wait.
  absl::Status RetryUntilDeadline(
      absl::FunctionRef<absl::Status()> attempt,
      absl::FunctionRef<void(int tries, const absl::Status& error)> failed);
  absl::Status RecordWithRetries(const Claim& claim, Outcome& outcome, const Log& log);
  FaultStreak& streak() { return options_.streak != nullptr ? *options_.streak : own_streak_; }
  // True, with a message, if too many tasks in a row could not run on this machine.
  bool IsStreakOver();
  void CountFault(absl::string_view reason);
  void CountRefusal(const Outcome& outcome);
  absl::Duration IdleWait(absl::Duration idle);
  absl::Duration Jitter(absl::Duration wait, double least);

  const ConsumerOptions options_;
  Clock& clock_;
  Queue& queue_;
  CancelToken& stop_;
  const Log log_;
  FaultStreak own_streak_;
  std::string refused_permission_;  // empty if no permission was missing for the last task
  std::minstd_rand random_{RandomSeed()};
};

}  // namespace sparkles
