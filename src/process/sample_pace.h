// When the next sample of a running command is due.
#pragma once

#include "absl/time/time.h"

namespace sparkles {

// Every second; in the first second more often, so that a short command has a record, too: 50 ms
// after the start, then 100, 200, 400 and 1000 ms.
inline absl::Duration SamplePace(int samples_so_far) {
  switch (samples_so_far) {
    case 0:
    case 1:
      return absl::Milliseconds(50);
    case 2:
      return absl::Milliseconds(100);
    case 3:
      return absl::Milliseconds(200);
    case 4:
      return absl::Milliseconds(600);
    default:
      return absl::Seconds(1);
  }
}

// The pause that keeps samples that cost that much CPU time below 0.04% of a core, so that all the
// watching together stays below 0.1%; the few of the first second are let through.
inline absl::Duration SamplePause(int samples_so_far, absl::Duration cost) {
  return samples_so_far < 5 ? absl::ZeroDuration() : 2500 * cost;
}

}  // namespace sparkles
