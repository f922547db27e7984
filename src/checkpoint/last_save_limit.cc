#include "checkpoint/last_save_limit.h"

#include "base/clock.h"

namespace sparkles {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(20);
constexpr char kReason[] = "the time for the last save is over";

}  // namespace

LastSaveLimit::LastSaveLimit(const CancelToken& stop, const StopTime& time)
    : thread_("save-limit", [this, &stop, time](const CancelToken& end) {
        SystemClock clock;
        if (!AwaitCancel(stop, end)) return;
        while (!stop.hurried()) {
          if (!clock.Sleep(kPoll, end)) return;
        }
        if (!clock.Sleep(time.save_files_limit(), end)) return;
        files_.Cancel(CancelKind::kAbort, kReason);
        if (!clock.Sleep(time.save_limit() - time.save_files_limit(), end)) return;
        save_.Cancel(CancelKind::kAbort, kReason);
      }) {}

}  // namespace sparkles
