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
  absl::Duration after;  // time since the request
  std::function<void()> action;
};

// After `stop` is cancelled, a thread runs the steps of `plan` in order, each at its time. The
// destructor waits for a running step. If the system refuses the thread, no step runs.
class StopDeadline {
 public:
  // Borrows `stop`. Calls `plan` once, after the request. `clock` is for tests, and only its Sleep
  // is used.
  StopDeadline(const CancelToken& stop, std::function<std::vector<StopStep>()> plan,
               std::unique_ptr<Clock> clock = std::make_unique<SystemClock>());

 private:
  void Watch(const CancelToken& done);

  const CancelToken& stop_;
  const std::function<std::vector<StopStep>()> plan_;
  const std::unique_ptr<Clock> clock_;
  Housekeeper thread_;
};

// Logs that work is unfinished, and ends the process with `exit_code`. Takes at most a second, even
// if the log hangs.
[[noreturn]] void EndUnfinished(LogSink& sink, int exit_code);

}  // namespace sparkles
