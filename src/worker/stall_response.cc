#include "worker/stall_response.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "process/monotonic.h"
#include "process/thread_dump.h"
#include "task/task.h"
#include "worker/exit_code.h"
#include "worker/exit_timer.h"

namespace sparkles {
namespace {

// Added to each timer, for a machine under load.
constexpr absl::Duration kTimerSlack = absl::Seconds(10);
// Limit for the dump of all threads. A reader of stderr that hangs must not prevent the hand-back.
constexpr absl::Duration kMaxDumpTime = absl::Seconds(3);

}  // namespace

WatchdogActions RespondToStalls(absl::Duration period, std::function<std::optional<Claim>()> held,
                                TimedHandBack* hand_back, LogSink& sink) {
  WatchdogActions actions;
  actions.on_stall = [period, &sink] {
    // For a dump that hangs. Ends the process only after the second period.
    StartExitTimer(period + kMaxDumpTime + kTimerSlack, kExitStuck);
    const absl::Duration began = MonotonicNow();
    sink.WriteUrgently(Severity::kError,
                       absl::StrCat("watchdog: no sign of life for ", absl::FormatDuration(period),
                                    "; the stacks of the worker's threads follow"));
    DumpThreads([began, &sink](absl::string_view line) {
      sink.WriteUrgently(Severity::kError, absl::StrCat("watchdog: ", line));
      return MonotonicNow() - began < kMaxDumpTime;
    });
    // Starts again, because the watchdog counts the second period from now. The watchdog fires
    // before the timer, even if the process is frozen for a while.
    StartExitTimer(1.5 * period + kTimerSlack, kExitStuck);
  };
  actions.on_recovery = [&sink](absl::Duration lasted) {
    StopExitTimer();
    sink.WriteUrgently(Severity::kWarning, absl::StrCat("watchdog: the worker continues after ",
                                                        absl::FormatDuration(lasted)));
  };
  actions.on_stuck = [period, held = std::move(held), hand_back, &sink] {
    const std::string reason = absl::StrCat("the worker was stuck: no sign of life for ",
                                            absl::FormatDuration(2 * period));
    StartExitTimer(kStuckHandBack + kTimerSlack, kExitStuck);
    sink.EndBlock();
    const std::optional<Claim> claim = held();
    if (claim && hand_back != nullptr) {
      // Counts as an abandoned claim, so that a task that blocks each worker fails at some time.
      const absl::Status status =
          hand_back->HandBack(*claim, absl::StrCat(kAbandonedPrefix, reason), kStuckHandBack);
      sink.WriteUrgently(Severity::kError,
                         absl::StrCat("watchdog: ", claim->task.id,
                                      status.ok() ? " is handed back" : " cannot be handed back: ",
                                      status.message()));
    }
    sink.WriteUrgently(Severity::kError,
                       absl::StrCat("watchdog: ", reason, "; the worker exits now"));
    // Then the launcher ends the command and its leftovers.
    _exit(kExitStuck);
  };
  return actions;
}

}  // namespace sparkles
