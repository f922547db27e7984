#include "gcp/adaptive_timeout.h"

#include <algorithm>

namespace sparkles {

absl::Duration AdaptiveTimeout::limit() const {
  MutexLock lock(mutex_);
  return limit_;
}

void AdaptiveTimeout::OnAnswer(absl::Duration took) {
  MutexLock lock(mutex_);
  limit_ = std::clamp(std::max(2 * took, limit_ / 2), shortest_, longest_);
}

void AdaptiveTimeout::OnTimeout(absl::Duration limit) {
  MutexLock lock(mutex_);
  limit_ = std::max(limit_, std::min(2 * limit, longest_));
}

}  // namespace sparkles
