// Ends a worker that must stop while its main thread hangs, for example on a dead mount.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "base/log.h"
#include "base/stop_time.h"
#include "queue/metered_queue.h"
#include "queue/queue.h"
#include "worker/stop_deadline.h"
#include "worker/timed_hand_back.h"
#include "worker/worker_stop.h"

namespace sparkles {

// Hands `claim` back, logs the stacks of all threads, and ends the process with `exit_code`. Also
// ends the process if the queue has not answered within `limit`. Returns only if the claim is lost.
void EndHungStop(TimedHandBack& hand_back, const Claim& claim, const std::string& reason,
                 absl::Duration limit, LogSink& sink, int exit_code);

// From construction to destruction, guards a stop of the worker. Calls EndHungStop if the main
// thread has not ended the claim that `queue` holds within StopTime::hand_back.
class HungStopGuard {
 public:
  // Borrows all. `hand_back` is null if a claim ends with its worker. Then the guard only ends a
  // preempted process in the time of StopTime::OnPreemption.
  HungStopGuard(WorkerStop& stop, const MeteredQueue& queue, TimedHandBack* hand_back,
                LogSink& sink);

 private:
  StopStep HandBackStep(const StopTime& time) const;

  WorkerStop& stop_;
  const MeteredQueue& queue_;
  TimedHandBack* const hand_back_;
  LogSink& sink_;
  const StopDeadline stopped_;
  const StopDeadline preempted_;
};

}  // namespace sparkles
