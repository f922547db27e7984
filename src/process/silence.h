// Measures for how long something has not changed.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace sparkles {

// Not thread-safe.
class Silence {
 public:
  // Silence of `timeout` is looked for. Infinite: never.
  explicit Silence(absl::Duration timeout);

  // The time between two looks: a tenth of the timeout, but at most 10 s, which limits the cost of
  // a long gap between two looks.
  absl::Duration interval() const { return interval_; }

  // Notes the result of a look at the time `now` of the boot clock. nullopt: unknown, which counts
  // as a change. Returns true if there was no change for the timeout. A gap between two looks
  // counts as one interval at most, and silence starts again after a long gap: this process or the
  // machine was suspended, and the watched processes need time to continue.
  bool Note(absl::Duration now, std::optional<uint64_t> state);

  // True if the next look without a change completes the timeout.
  bool IsAlmostComplete() const { return silence_ + interval_ >= timeout_; }

 private:
  const absl::Duration timeout_;
  const absl::Duration interval_;
  std::optional<uint64_t> state_;
  absl::Duration last_look_;
  absl::Duration silence_;
};

}  // namespace sparkles
