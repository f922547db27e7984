// A clock that moves only when a test or a sleep moves it; sleeps take no time. Only an infinite
// sleep blocks, until it is cancelled.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace sparkles {

// Thread-safe. Starts at 2026-01-31T12:00:00Z.
class FakeClock : public Clock {
 public:
  absl::Time Now() override {
    MutexLock lock(mutex_);
    return now_;
  }

  // A sleep with a cancelled token does not start.
  bool Sleep(absl::Duration duration, const CancelToken& cancel) override {
    if (duration == absl::InfiniteDuration()) return !AwaitCancel(cancel, CancelToken());
    if (!cancel.cancelled()) Begin(duration);
    return !cancel.cancelled();
  }

  void Advance(absl::Duration duration) {
    MutexLock lock(mutex_);
    now_ += duration;
  }

  // All sleeps that have started, oldest first.
  std::vector<absl::Duration> sleeps() const {
    MutexLock lock(mutex_);
    return sleeps_;
  }

  // Calls `action` during each sleep with the number of sleeps so far. Set it before threads use
  // the clock.
  void OnSleep(std::function<void(size_t count)> action) { on_sleep_ = std::move(action); }

 private:
  void Begin(absl::Duration duration) {
    size_t count;
    {
      MutexLock lock(mutex_);
      now_ += duration;
      sleeps_.push_back(duration);
      count = sleeps_.size();
    }
    if (on_sleep_) on_sleep_(count);
  }

  mutable Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1'769'860'800);
  std::vector<absl::Duration> sleeps_ ABSL_GUARDED_BY(mutex_);
  std::function<void(size_t)> on_sleep_;
};

}  // namespace sparkles
