// Computes waits between attempts that grow exponentially.
#pragma once

#include <optional>
#include <random>

#include "absl/time/time.h"

namespace sparkles {

// Use from one thread at a time.
class Backoff {
 public:
  // The waits have the ceilings `first`, twice `first`, and so on up to `longest`. Each wait is a
  // random part of its ceiling, at least the fraction `least` (0 to 1) of it, so that a fleet does
  // not retry at the same moment. With 1 each wait equals its ceiling.
  Backoff(absl::Duration first, absl::Duration longest, double least)
      : first_(first), longest_(longest), least_(least), ceiling_(first) {}

  absl::Duration Next();
  // The next wait is the first one again.
  void Reset() { ceiling_ = first_; }

 private:
  const absl::Duration first_;
  const absl::Duration longest_;
  const double least_;
  absl::Duration ceiling_;
  std::optional<std::minstd_rand> random_;  // created by the first wait that needs it
};

}  // namespace sparkles
