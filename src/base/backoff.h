// Waits between attempts that grow exponentially.
#pragma once

#include <optional>
#include <random>

#include "absl/time/time.h"

namespace sparkles {

// For one thread at a time.
class Backoff {
 public:
  // The waits have the ceilings `first`, twice that ... `longest`. Each wait is a random part of
  // its ceiling, at least `least` of it (0 to 1), so that a fleet does not try at once; with 1 it
  // is the ceiling itself.
  Backoff(absl::Duration first, absl::Duration longest, double least)
      : first_(first), longest_(longest), least_(least), ceiling_(first) {}

  absl::Duration Next();
  // The next wait is the first again.
  void Reset() { ceiling_ = first_; }

 private:
  const absl::Duration first_;
  const absl::Duration longest_;
  const double least_;
  absl::Duration ceiling_;
  std::optional<std::minstd_rand> random_;  // made by the first wait that needs it
};

}  // namespace sparkles
