#include "worker/stop_deadline.h"

#include <unistd.h>

#include <system_error>
#include <utility>

#include "base/clock.h"
#include "base/thread.h"
#include "worker/end_alarm.h"

namespace sparkles {

StopDeadline::StopDeadline(CancelToken& stop, StopSteps steps, std::function<void()> end)
    : stop_(stop), steps_(steps), end_(std::move(end)) {
  try {
    thread_ = StartHousekeeping("stop-deadline", [this] { Watch(); });
  } catch (const std::system_error&) {
    thread_ = {};  // rather late than not at all
  }
}

StopDeadline::~StopDeadline() {
  done_.Cancel(CancelKind::kAbort, "");
  if (thread_.joinable()) thread_.join();
}

void StopDeadline::Watch() {
  if (!AwaitCancel(stop_, done_)) return;
  SystemClock clock;
  if (!clock.Sleep(steps_.hurry, done_)) return;
  stop_.Hurry();
  if (clock.Sleep(steps_.end - steps_.hurry, done_)) end_();
}

void EndUnfinished(LogSink& sink, int exit_code) {
  EndByAlarm(absl::Seconds(1), exit_code);  // the log may lie on the very disk that hangs
  sink.WriteUrgently(Severity::kError,
                     "there is no more time: this ends now, whatever is unfinished; the task in "
                     "work, if it is not handed back, stays claimed");
  _exit(exit_code);
}

}  // namespace sparkles
