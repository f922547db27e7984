// The stop of a worker: the tokens that ask for it, the time that it may take, and the exit code.
#pragma once

#include <vector>

#include "base/cancel.h"
#include "base/log.h"
#include "base/stop_time.h"
#include "worker/consumer.h"
#include "worker/signals.h"
#include "worker/stop_deadline.h"

namespace sparkles {

// From construction to destruction, signals stop the worker (StopSignals), and a stop that takes
// too long ends the process (StopDeadline). Throws std::system_error if the system refuses the
// thread for signals. Thread-safe.
class WorkerStop {
 public:
  // Borrows `sink`.
  WorkerStop(StopTime time, LogSink& sink);

  const StopTime& time() const { return time_; }
  // Cancelled when the worker must stop.
  CancelToken& token() { return stop_; }
  // Cancelled when the VM is preempted. Its cancellation also cancels token().
  CancelToken& preempted() { return preempted_; }
  // Cancelled when the worker must claim no more tasks. Also cancelled with token().
  CancelToken& drain() { return drain_; }
  const CancelToken& drain() const { return drain_; }

  // Hurries the stop, and later ends the process, at the times of `time`.
  std::vector<StopStep> StepsWithin(const StopTime& time);

  // The exit code of a stopped worker.
  int exit_code() const;
  // The exit code of a worker whose consumer has ended.
  int ExitCodeOf(Consumer::End end) const;
  // The exit code of a worker that ends before it has a consumer, because drain() is cancelled.
  int ExitCodeBeforeClaims() const;

 private:
  const StopTime time_;
  LogSink& sink_;
  CancelToken preempted_;
  CancelToken stop_{&preempted_};
  CancelToken drain_{&stop_};
  const StopSignals signals_;
  const StopDeadline deadline_;
};

}  // namespace sparkles
