// Computes the intervals between the samples of a running command.
#pragma once

#include "absl/time/time.h"

namespace sparkles {

// The interval before the next sample. Samples are due 50, 100, 200, 400 and 1000 ms after the
// start, so that a short command is sampled, too. Later samples are due every second.
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

// The shortest pause after a sample that took `cost` of CPU time. It keeps samples below 0.04% of a
// core, and all measurements together below 0.1%. The first five samples have no such limit.
inline absl::Duration SamplePause(int samples_so_far, absl::Duration cost) {
  return samples_so_far < 5 ? absl::ZeroDuration() : 2500 * cost;
}

}  // namespace sparkles
