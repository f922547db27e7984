// The end of a worker that was asked to stop comes in time by construction, not by adding up what
// each step may take: one clock runs from the request on.
#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"

namespace sparkles {

// Counted from the request; contract.md section 3: all is over within 20 s.
struct StopSteps {
  absl::Duration hurry = absl::Seconds(10);  // commands get KILL, whatever --grace says
  absl::Duration end = absl::Seconds(19);    // the process ends, whatever is unfinished
};

// From construction to destruction: once `stop` is cancelled, hurries it and then calls `end`, each
// at its time, on a thread of its own. Real time. Without a thread (the kernel refuses) nothing is
// enforced.
class StopDeadline {
 public:
  // Borrows `stop`. `end` is not expected to return. `clock` is for tests: it only has to sleep.
  StopDeadline(CancelToken& stop, StopSteps steps, std::function<void()> end,
               std::unique_ptr<Clock> clock = std::make_unique<SystemClock>());
  ~StopDeadline();
  StopDeadline(const StopDeadline&) = delete;
  StopDeadline& operator=(const StopDeadline&) = delete;

 private:
  void Watch();

  CancelToken& stop_;
  const StopSteps steps_;
  const std::function<void()> end_;
  const std::unique_ptr<Clock> clock_;
  CancelToken done_;
  std::thread thread_;
};

// What `end` comes down to: says that the worker ends in the midst of its work, and ends the
// process with `exit_code`, within a second whatever becomes of the words.
[[noreturn]] void EndUnfinished(LogSink& sink, int exit_code);

}  // namespace sparkles
