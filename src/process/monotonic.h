// Time that nobody sets back, for deadlines. Safe in a process that was just forked: it takes no
// lock, unlike absl::Now.
#pragma once

#include <time.h>

#include "absl/time/time.h"

namespace sparkles {

inline absl::Duration MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

// The wall clock, likewise without a lock.
inline absl::Time WallNow() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return absl::TimeFromTimespec(now);
}

}  // namespace sparkles
