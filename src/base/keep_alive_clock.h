// A clock that counts its sleeps as signs of life, because a wait between attempts or for tasks is
// part of the work.
#pragma once

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/heartbeat.h"

namespace sparkles {

// Thread-safe if `clock` is.
class KeepAliveClock : public Clock {
 public:
  // Borrows both. A sleep beats at its start and every `interval`.
  KeepAliveClock(Clock& clock, Heartbeat& heartbeat, absl::Duration interval)
      : clock_(clock), heartbeat_(heartbeat), interval_(interval) {}

  absl::Time Now() override { return clock_.Now(); }
  bool Sleep(absl::Duration duration, const CancelToken& cancel) override;

 private:
  Clock& clock_;
  Heartbeat& heartbeat_;
  const absl::Duration interval_;
};

}  // namespace sparkles
