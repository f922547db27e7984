// The main loop: claim a task, have it run, record its end, until nothing is left to do.
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

namespace sparkles {

struct ConsumerOptions {
  // How long an empty queue is watched before the worker is done.
  absl::Duration linger = absl::ZeroDuration();
  // How often the claim is looked after while its task runs; infinite: never.
  absl::Duration watch_period = absl::InfiniteDuration();
  // How long the end of a task is written again and again before it is given up.
  absl::Duration record_patience = absl::Minutes(5);
  // Asked before each claim; may be empty. While it returns an error nothing is claimed; one that
  // lasts for minutes ends the worker as unfit.
  std::function<absl::Status()> check_machine = nullptr;
  // Cancelled: no more claims, but what is claimed is done. A child of `stop`; borrowed; may be
  // null.
  const CancelToken* drain = nullptr;
  // Limits the tries to record an end after a request to stop.
  StopTime stop_time = {};
};

// Machine faults in a row after which a worker claims no more (docs/wire-entities.md):
// one bad machine must not run through the whole queue.
inline constexpr int kMaxMachineFaults = 5;
// The same for tasks in a row that failed because one permission is missing.
inline constexpr int kMaxRefusals = 5;

class Consumer {
 public:
  enum class End { kQueueEmpty, kStopped, kDrained, kMachineUnfit, kQueueBroken };
  using Execute = absl::FunctionRef<Outcome(const Claim& claim, const CancelToken& cancel,
                                            ConfirmClaim confirm_claim)>;

  // Borrows all. `stop` ends the loop: its reason goes into the hand-back of a task in work.
  Consumer(ConsumerOptions options, Clock& clock, Queue& queue, CancelToken& stop, Log log)
      : options_(std::move(options)),
        clock_(clock),
        queue_(queue),
        stop_(stop),
        log_(std::move(log)) {}

  // kQueueBroken: only people can mend the queue; also that of a file that was away for minutes.
  // Blocks until the end. Every claim is finished or handed back before this returns; where the
  // queue takes neither within record_patience (the seconds that are left once `stop` is
  // cancelled), it stays recoverable as an abandoned claim.
  End Run(Execute execute);

 private:
  // Cancelled when nothing more is to be claimed.
  const CancelToken& no_more() const { return options_.drain != nullptr ? *options_.drain : stop_; }
  // How a round of the loop ended. kUnfit: trouble of this machine's.
  enum class Round { kWorked, kIdle, kContended, kTrouble, kUnfit, kBroken };
  End WorkToTheEnd(Execute execute);
  // Hands back what the last try to claim may have claimed without our knowledge.
  void RevokeUnknownClaim();
  // False if this machine stays unfit.
  bool WaitUntilFit();
  Round ClaimAndRun(Execute execute);
  // What the queue has recorded beside our claims.
  void TellOfEnds();
  bool IsBroken(const absl::Status& status) const;
  void Record(const Claim& claim, Outcome& outcome);
  // Tries until it succeeds, or its error is final, or patience ends; returns the last status.
  // `failed` is called before each wait.
  absl::Status TryPatiently(absl::FunctionRef<absl::Status()> attempt,
                            absl::FunctionRef<void(int tries, const absl::Status& error)> failed);
  absl::Status RecordPatiently(const Claim& claim, Outcome& outcome, const Log& log);
  void CountFault(absl::string_view reason);
  void CountRefusal(const Outcome& outcome);
  absl::Duration IdleWait(absl::Duration idle);
  absl::Duration Jitter(absl::Duration wait, double least);

  const ConsumerOptions options_;
  Clock& clock_;
  Queue& queue_;
  CancelToken& stop_;
  const Log log_;
  int faults_in_a_row_ = 0;
  int refusals_in_a_row_ = 0;       // tasks that failed because refused_permission_ is missing
  std::string refused_permission_;  // empty: the last task did not fail for a permission
  std::minstd_rand random_{RandomSeed()};
};

}  // namespace sparkles
