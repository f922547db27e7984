#include "base/keep_alive_clock.h"

#include <algorithm>

namespace sparkles {

bool KeepAliveClock::Sleep(absl::Duration duration, const CancelToken& cancel) {
  while (true) {
    heartbeat_.Beat();
    const absl::Duration slice = std::min(duration, interval_);
    if (!clock_.Sleep(slice, cancel)) return false;
    duration -= slice;
    if (duration <= absl::ZeroDuration()) return true;
  }
}

}  // namespace sparkles
