#include "monitor/status_cache.h"

#include <algorithm>

namespace sparkles {

ProcessStatus StatusCache::Current() {
  MutexLock lock(mutex_);
  const absl::Time now = clock_.Now();
  // A status is also old if the clock was set back.
  if (now < time_ || now - time_ >= max_age_) {
    status_ = read_();
    time_ = clock_.Now();
    // If the process was frozen during the read, the read seems long. kMaxAge limits the effect.
    max_age_ = std::clamp(kAgePerCost * (time_ - now), kMinAge, kMaxAge);
  }
  return status_;
}

}  // namespace sparkles
