#include "base/clock.h"

#include <poll.h>

#include <algorithm>
#include <chrono>

#include "absl/time/clock.h"

namespace sparkles {

absl::Time SystemClock::Now() { return absl::Now(); }

bool SystemClock::Sleep(absl::Duration duration, const CancelToken& cancel) {
  using Steady = std::chrono::steady_clock;
  const auto end = Steady::now() + absl::ToChronoNanoseconds(duration);
  while (!cancel.cancelled()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Steady::now());
    if (left.count() <= 0) return true;
    pollfd waited{cancel.fd(), POLLIN, 0};
    // poll ignores fd -1. Without a descriptor, check ten times a second.
    const int64_t slice = cancel.fd() >= 0 ? 60'000 : 100;
    (void)poll(&waited, 1, static_cast<int>(std::min<int64_t>(left.count(), slice)));
  }
  return false;
}

}  // namespace sparkles
