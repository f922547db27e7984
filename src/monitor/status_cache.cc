#include "monitor/status_cache.h"

#include <algorithm>

namespace sparkles {

ProcessStatus StatusCache::Current() {
  MutexLock lock(mutex_);
  const absl::Time now = clock_.Now();
  // Infinite past, or a clock that was set back, count as old.
  if (now < time_ || now - time_ >= good_for_) {
    status_ = read_();
    time_ = clock_.Now();
    // At most: a freeze while it was read is no cost.
    good_for_ = std::clamp(kAgeByCost * (time_ - now), kLeastAge, kMostAge);
  }
  return status_;
}

}  // namespace sparkles
