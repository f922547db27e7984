#include "base/slow_call.h"

#include "base/thread.h"

namespace sparkles {
namespace {

// Much shorter than any useful --timeout.
constexpr absl::Duration kInterval = absl::Milliseconds(200);

}  // namespace

SlowCall::SlowCall(Heartbeat* heartbeat, absl::Duration limit)
    : heartbeat_(heartbeat), limit_(limit) {
  if (heartbeat_ == nullptr) return;
  auto started = StartThread("slow-call", [this] { Watch(); });
  if (started.ok()) thread_ = *std::move(started);  // otherwise only Next gives signs of life
}

SlowCall::~SlowCall() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    over_ = true;
  }
  over_changed_.NotifyOne();
  thread_.join();
}

void SlowCall::Next() {
  if (heartbeat_ == nullptr) return;
  heartbeat_->Beat();
  MutexLock lock(mutex_);
  waited_ = absl::ZeroDuration();
}

void SlowCall::Watch() {
  MutexLock lock(mutex_);
  while (!over_) {
    if (over_changed_.WaitFor(mutex_, kInterval) || over_) continue;
    waited_ += kInterval;
    if (waited_ <= limit_) heartbeat_->Beat();
  }
}

}  // namespace sparkles
