#include "base/keep_alive.h"

#include "base/thread.h"

namespace sparkles {
namespace {

// Much shorter than any useful --timeout.
constexpr absl::Duration kInterval = absl::Milliseconds(200);

}  // namespace

KeepAlive::KeepAlive(Heartbeat* heartbeat, absl::Duration limit)
    : heartbeat_(heartbeat), limit_(limit) {
  if (heartbeat_ == nullptr) return;
  auto started = StartThread("keep-alive", [this] { Watch(); });
  if (started.ok()) thread_ = *std::move(started);  // otherwise only Next gives signs of life
}

KeepAlive::~KeepAlive() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    over_ = true;
  }
  over_changed_.NotifyOne();
  thread_.join();
}

void KeepAlive::Next() {
  if (heartbeat_ == nullptr) return;
  heartbeat_->Beat();
  MutexLock lock(mutex_);
  waited_ = absl::ZeroDuration();
}

void KeepAlive::Watch() {
  MutexLock lock(mutex_);
  while (!over_) {
    if (over_changed_.WaitFor(mutex_, kInterval) || over_) continue;
    waited_ += kInterval;
    if (waited_ <= limit_) heartbeat_->Beat();
  }
}

}  // namespace sparkles
