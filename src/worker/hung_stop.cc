#include "worker/hung_stop.h"

#include <unistd.h>

#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "process/monotonic.h"
#include "process/thread_dump.h"
#include "worker/exit_timer.h"

namespace sparkles {
namespace {

// Wait before the next attempt if the queue fails at once.
constexpr absl::Duration kRetry = absl::Milliseconds(200);
// Limit for the dump of the threads' stacks. The exit timer enforces one second.
constexpr absl::Duration kDumpLimit = absl::Milliseconds(500);

}  // namespace

void EndHungStop(TimedHandBack& hand_back, const Claim& claim, const std::string& reason,
                 absl::Duration limit, LogSink& sink, int exit_code) {
  const absl::Duration deadline = MonotonicNow() + limit;
  while (true) {
    const absl::Status status = hand_back.HandBack(claim, reason, deadline - MonotonicNow());
    if (status.ok()) break;
    if (absl::IsAborted(status)) return;
    if (MonotonicNow() + kRetry >= deadline) EndUnfinished(sink, exit_code);
    absl::SleepFor(kRetry);
  }
  StartExitTimer(absl::Seconds(1), exit_code);  // stderr may be on the disk that hangs
  sink.EndBlock();
  sink.WriteUrgently(Severity::kError,
                     absl::StrCat(claim.task.id, " is handed back: ", reason,
                                  "; the worker exits now; the stacks of its threads follow"));
  const absl::Duration began = MonotonicNow();
  DumpThreads([began, &sink](absl::string_view line) {
    sink.WriteUrgently(Severity::kError, line);
    return MonotonicNow() - began < kDumpLimit;
  });
  _exit(exit_code);
}

HungStopGuard::HungStopGuard(WorkerStop& stop, const MeteredQueue& queue, TimedHandBack* hand_back,
                             LogSink& sink)
    : stop_(stop),
      queue_(queue),
      hand_back_(hand_back),
      sink_(sink),
      stopped_(stop.token(), [this] { return std::vector{HandBackStep(stop_.time())}; }),
      // A preemption leaves less time, even if a signal came first.
      preempted_(stop.preempted(), [this] {
        const StopTime time = stop_.time().OnPreemption();
        std::vector<StopStep> steps = stop_.StepsWithin(time);
        steps.insert(steps.begin() + 1, HandBackStep(time));
        return steps;
      }) {}

StopStep HungStopGuard::HandBackStep(const StopTime& time) const {
  return {time.hand_back(), [this, time] {
            const std::optional<Claim> claim = queue_.held_not_ending();
            if (!claim || hand_back_ == nullptr) return;
            EndHungStop(*hand_back_, *claim,
                        absl::StrCat(stop_.token().reason(), "; the worker hung"),
                        time.end() - time.hand_back(), sink_, stop_.exit_code());
          }};
}

}  // namespace sparkles
