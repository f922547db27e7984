// The main loop: claim a task, have it run, record its end, until nothing is left to do.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "queue/queue.h"
#include "task/outcome.h"

namespace sparkles {

struct ConsumerOptions {
  absl::Duration linger;  // how long an empty queue is watched before the worker is done
};

// Machine faults in a row after which a worker claims no more (contract.md section 3): one bad
// machine must not run through the whole queue.
inline constexpr int kMaxMachineFaults = 5;

class Consumer {
 public:
  enum class End { kQueueEmpty, kStopped, kMachineUnfit };
  using Execute = absl::FunctionRef<Outcome(const Claim& claim, const CancelToken& cancel)>;

  // Borrows all. `stop` ends the loop: its reason goes into the hand-back of a task in work.
  Consumer(ConsumerOptions options, Clock& clock, Queue& queue, CancelToken& stop, Log log)
      : options_(options), clock_(clock), queue_(queue), stop_(stop), log_(std::move(log)) {}

  // Blocks until the end. Every claim is finished or handed back before this returns; where the
  // queue refuses even that after many tries, it stays recoverable as an abandoned claim.
  End Run(Execute execute);

 private:
  enum class Step { kWorked, kIdle, kTrouble };
  Step ClaimAndRun(Execute execute);
  void Record(const Claim& claim, const Outcome& outcome);
  void CountFault(const Outcome& outcome);

  const ConsumerOptions options_;
  Clock& clock_;
  Queue& queue_;
  CancelToken& stop_;
  const Log log_;
  int faults_in_a_row_ = 0;
};

}  // namespace sparkles
