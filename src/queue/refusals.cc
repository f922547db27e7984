#include "queue/refusals.h"

#include <algorithm>

namespace sparkles {

bool Refusals::Add(const std::string& task_id, absl::Time claimed_at, absl::Time now) {
  Refused& refused =
      refused_.try_emplace({task_id, claimed_at}, Refused{now, absl::ZeroDuration()}).first->second;
  refused.total += std::clamp(now - refused.last, absl::ZeroDuration(), kMaxStep);
  refused.last = now;
  return refused.total >= kFinalAfter;
}

}  // namespace sparkles
