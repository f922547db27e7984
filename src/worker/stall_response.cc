#include "worker/stall_response.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "process/monotonic.h"
#include "process/thread_dump.h"
#include "task/task.h"
#include "worker/end_alarm.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

// What the machine's load may add to anything.
constexpr absl::Duration kAlarmSlack = absl::Seconds(10);
// For the whole dump. Whoever does not read our lines must not cost the hand-back.
constexpr absl::Duration kDumpPatience = absl::Seconds(3);

}  // namespace

WatchdogActions RespondToStalls(absl::Duration period, std::function<std::optional<Claim>()> held,
                                TimedHandBack* hand_back, LogSink& sink) {
  WatchdogActions actions;
  actions.begin = [period, &sink] {
    // Should a single look at a thread take for ever; not before the second period is over.
    EndByAlarm(period + kDumpPatience + kAlarmSlack, kExitStuck);
    const absl::Duration began = MonotonicNow();
    sink.WriteUrgently(Severity::kError,
                       absl::StrCat("watchdog: no sign of life for ", absl::FormatDuration(period),
                                    "; this is what the worker is doing"));
    DumpThreads([began, &sink](absl::string_view line) {
      sink.WriteUrgently(Severity::kError, absl::StrCat("watchdog: ", line));
      return MonotonicNow() - began < kDumpPatience;
    });
    // From now on, since the watchdog counts the next period from now on; the watchdog itself goes
    // first, also if this process is frozen for a while.
    EndByAlarm(1.5 * period + kAlarmSlack, kExitStuck);
  };
  actions.recover = [&sink](absl::Duration lasted) {
    StopEndAlarm();
    sink.WriteUrgently(Severity::kWarning, absl::StrCat("watchdog: the work goes on after ",
                                                        absl::FormatDuration(lasted)));
  };
  actions.give_up = [period, held = std::move(held), hand_back, &sink] {
    const std::string reason = absl::StrCat("the worker was stuck: no sign of life for ",
                                            absl::FormatDuration(2 * period));
    EndByAlarm(kStuckHandBack + kAlarmSlack, kExitStuck);
    const std::optional<Claim> claim = held();
    if (claim && hand_back != nullptr) {
      // Not an orderly end, so that a task that sticks every worker is given up at some time.
      const absl::Status status =
          hand_back->HandBack(*claim, absl::StrCat(kAbandonedPrefix, reason), kStuckHandBack);
      sink.WriteUrgently(Severity::kError,
                         absl::StrCat("watchdog: ", claim->task.id,
                                      status.ok() ? " is handed back" : " cannot be handed back: ",
                                      status.message()));
    }
    sink.WriteUrgently(Severity::kError, absl::StrCat("watchdog: ", reason, "; it ends now"));
    // The launcher sees this process vanish and ends what the command left.
    _exit(kExitStuck);
  };
  return actions;
}

}  // namespace sparkles
