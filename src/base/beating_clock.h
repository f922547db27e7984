// A clock whose sleeps are signs of life: to wait for the next try, or for a queue to fill, is to
// work.
#pragma once

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/vitals.h"

namespace sparkles {

// Thread-safe if `clock` is.
class BeatingClock : public Clock {
 public:
  // Borrows both. A sleep beats when it begins and every `interval`.
  BeatingClock(Clock& clock, Heartbeat& heartbeat, absl::Duration interval)
      : clock_(clock), heartbeat_(heartbeat), interval_(interval) {}

  absl::Time Now() override { return clock_.Now(); }
  bool Sleep(absl::Duration duration, const CancelToken& cancel) override;

 private:
  Clock& clock_;
  Heartbeat& heartbeat_;
  const absl::Duration interval_;
};

}  // namespace sparkles
