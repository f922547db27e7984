#include "doctor/check_runner.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/thread.h"
#include "process/monotonic.h"

namespace sparkles {
namespace {

// Interval at which ends, limits and the stop are noticed.
constexpr std::chrono::milliseconds kPollInterval{10};

// One running check. Its thread also owns it, because the thread may outlive RunChecks.
struct RunningCheck {
  explicit RunningCheck(Check what) : check(std::move(what)), findings(check.name) {}

  const Check check;
  CancelToken cancel;
  Findings findings;
  std::atomic<bool> ended = false;
};

std::string LimitText(const Check& check) {
  return absl::StrCat("no answer within ", absl::FormatDuration(check.limit));
}

absl::StatusOr<std::thread> StartCheck(const std::shared_ptr<RunningCheck>& running) {
  return StartThread("check", [running] {
    running->check.run(running->cancel, running->findings);
    running->ended = true;
  });
}

// Cancels the check when its time is over. True if RunChecks must still wait for the check.
bool MustAwait(RunningCheck& running, absl::Duration elapsed, const CancelToken& stop,
               absl::Duration& stopped_at) {
  if (running.ended) return false;
  if (stop.cancelled()) {
    stopped_at = std::min(stopped_at, elapsed);
    running.cancel.Cancel(CancelKind::kAbort, stop.reason());
  }
  if (elapsed >= running.check.limit) {
    running.cancel.Cancel(CancelKind::kAbort, LimitText(running.check));
  }
  return elapsed < std::min(running.check.limit, stopped_at) + kCleanUpLimit;
}

Finding MakeThreadFailure(const absl::Status& refusal) {
  return {Level::kFail, "limits", "threads", std::string(refusal.message()),
          "raise the limit on processes (ulimit -u, or the pids limit of the container)"};
}

}  // namespace

CheckResults RunChecks(std::vector<Check> checks, const CancelToken& stop) {
  std::vector<std::shared_ptr<RunningCheck>> all;
  std::vector<std::thread> threads;
  absl::Status refusal;  // by the system, to start a thread
  const absl::Duration start = MonotonicNow();
  for (Check& check : checks) {
    all.push_back(std::make_shared<RunningCheck>(std::move(check)));
    absl::StatusOr<std::thread> thread = StartCheck(all.back());
    threads.push_back(thread.ok() ? *std::move(thread) : std::thread());
    if (thread.ok()) continue;
    RunningCheck& refused = *all.back();
    refused.findings.Skip(refused.check.thing, "there is no thread for the check");
    refusal = thread.status();
    refused.ended = true;
  }
  absl::Duration stopped_at = absl::InfiniteDuration();
  while (true) {
    bool awaited = false;
    for (const auto& running : all) {
      awaited |= MustAwait(*running, MonotonicNow() - start, stop, stopped_at);
    }
    if (!awaited) break;
    std::this_thread::sleep_for(kPollInterval);
  }
  CheckResults results;
  if (!refusal.ok()) results.findings.push_back(MakeThreadFailure(refusal));
  for (size_t i = 0; i < all.size(); ++i) {
    RunningCheck& running = *all[i];
    const bool done = running.ended.load();
    if (threads[i].joinable()) done ? threads[i].join() : threads[i].detach();
    if (!done) {
      results.abandoned = true;
      running.findings.Fail(running.check.thing, LimitText(running.check),
                            running.check.stuck_remedy);
    }
    for (Finding& finding : running.findings.All()) results.findings.push_back(std::move(finding));
  }
  return results;
}

}  // namespace sparkles
