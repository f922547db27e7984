// Clocks that take no lock, unlike absl::Now, and are therefore safe in a newly forked process.
#pragma once

#include <time.h>

#include "absl/time/time.h"

namespace sparkles {

// The monotonic clock, for deadlines: it never goes back.
inline absl::Duration MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

// The boot clock: the monotonic clock, plus the time for which the machine was suspended.
inline absl::Duration BootNow() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

// The wall clock.
inline absl::Time WallNow() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return absl::TimeFromTimespec(now);
}

}  // namespace sparkles
