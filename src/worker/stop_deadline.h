// Runs steps at fixed times after a request to stop, even if the main thread hangs.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

namespace sparkles {

struct StopStep {
  absl::Duration after;  // from the request on, in real time
  std::function<void()> action;
};

// From construction to destruction: after `stop` is cancelled, runs the steps of `plan` in order,
// each at its time, on a thread of its own. The destructor waits for a step that has begun. If the
// kernel refuses the thread, no step is run.
class StopDeadline {
 public:
  // Borrows `stop`. Calls `plan` once, after the request. `clock` is for tests and only needs Sleep
  // to work.
  StopDeadline(const CancelToken& stop, std::function<std::vector<StopStep>()> plan,
               std::unique_ptr<Clock> clock = std::make_unique<SystemClock>());

 private:
  void Watch(const CancelToken& done);

  const CancelToken& stop_;
  const std::function<std::vector<StopStep>()> plan_;
  const std::unique_ptr<Clock> clock_;
  Housekeeper thread_;
};

// Logs that the worker ends with its work unfinished, and ends the process with `exit_code`, within
// a second even if the log hangs.
[[noreturn]] void EndUnfinished(LogSink& sink, int exit_code);

}  // namespace sparkles
