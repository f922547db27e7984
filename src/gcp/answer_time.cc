#include "gcp/answer_time.h"

#include <algorithm>

namespace sparkles {

absl::Duration AnswerTime::limit() const {
  MutexLock lock(mutex_);
  return limit_;
}

void AnswerTime::Answered(absl::Duration took) {
  MutexLock lock(mutex_);
  limit_ = std::clamp(std::max(2 * took, limit_ / 2), shortest_, longest_);
}

void AnswerTime::Missed(absl::Duration limit) {
  MutexLock lock(mutex_);
  limit_ = std::max(limit_, std::min(2 * limit, longest_));
}

}  // namespace sparkles
