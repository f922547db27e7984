#include "worker/stop_deadline.h"

#include <unistd.h>

#include <chrono>
#include <utility>

#include "worker/exit_timer.h"

namespace sparkles {

StopDeadline::StopDeadline(const CancelToken& stop, std::function<std::vector<StopStep>()> plan,
                           std::unique_ptr<Clock> clock)
    : stop_(stop),
      plan_(std::move(plan)),
      clock_(std::move(clock)),
      thread_("stop-deadline", [this](const CancelToken& done) { Watch(done); }) {}

void StopDeadline::Watch(const CancelToken& done) {
  if (!AwaitCancel(stop_, done)) return;
  using Steady = std::chrono::steady_clock;
  const Steady::time_point requested = Steady::now();
  for (const StopStep& step : plan_()) {
    // A late step must not delay the next one.
    const absl::Duration passed = absl::FromChrono(Steady::now() - requested);
    if (!clock_->Sleep(step.after - passed, done)) return;
    step.action();
  }
}

void EndUnfinished(LogSink& sink, int exit_code) {
  StartExitTimer(absl::Seconds(1), exit_code);  // the log may be on the disk that hangs
  sink.EndBlock();
  sink.WriteUrgently(Severity::kError,
                     "there is no more time: the worker exits now with its work unfinished; a task "
                     "that is not handed back stays claimed");
  _exit(exit_code);
}

}  // namespace sparkles
