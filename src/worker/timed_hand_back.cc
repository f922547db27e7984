#include "worker/timed_hand_back.h"

#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "base/thread.h"
#include "process/monotonic.h"

namespace sparkles {
namespace {

// Shared with a thread that may live longer than the wait for it.
struct State {
  Mutex mutex;
  CondVar ended;
  std::optional<absl::Status> status ABSL_GUARDED_BY(mutex);
};

}  // namespace

absl::Status TimedHandBack::HandBack(const Claim& claim, const std::string& reason,
                                     absl::Duration limit) {
  if (busy_.exchange(true)) return absl::UnavailableError("it is being handed back already");
  const auto state = std::make_shared<State>();
  absl::StatusOr<std::thread> thread = StartThread("hand-back", [this, state, claim, reason] {
    absl::Status status = queue_.HandBack(claim, reason);
    busy_ = false;
    State& shared = *state;
    MutexLock lock(shared.mutex);
    shared.status = std::move(status);
    shared.ended.NotifyAll();
  });
  if (!thread.ok()) {
    busy_ = false;
    return thread.status();
  }
  thread->detach();
  // A wall clock that is set back must not lengthen a stop.
  const absl::Duration deadline = MonotonicNow() + limit;
  State& shared = *state;
  MutexLock lock(shared.mutex);
  while (!shared.status && MonotonicNow() < deadline) {
    shared.ended.WaitFor(shared.mutex, deadline - MonotonicNow());
  }
  return shared.status.value_or(absl::DeadlineExceededError("no answer in time"));
}

}  // namespace sparkles
