#include "process/silence.h"

#include <algorithm>

namespace sparkles {
namespace {

constexpr absl::Duration kMaxInterval = absl::Seconds(10);
// Longer gaps are long. A busy machine delays looks, but seldom by that much.
constexpr int kLongGapIntervals = 3;
constexpr absl::Duration kLeastLongGap = absl::Seconds(1);

}  // namespace

Silence::Silence(absl::Duration timeout)
    : timeout_(timeout), interval_(std::min(timeout / 10, kMaxInterval)) {}

bool Silence::Note(absl::Duration now, std::optional<uint64_t> state) {
  const absl::Duration gap = now - last_look_;
  last_look_ = now;
  const bool changed = !state.has_value() || state != state_;
  state_ = state;
  if (changed || gap > std::max(interval_ * kLongGapIntervals, kLeastLongGap)) {
    silence_ = absl::ZeroDuration();
  } else {
    silence_ += std::min(gap, interval_);
  }
  return silence_ >= timeout_;
}

}  // namespace sparkles
