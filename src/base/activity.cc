#include "base/activity.h"

namespace sparkles {

absl::Status Activity::ReportBytes(uint64_t bytes) const {
  if (heartbeat_ != nullptr) heartbeat_->Beat();
  return Report(bytes);
}

absl::Status Activity::ReportWait() const { return Report(0); }

absl::Status Activity::Report(uint64_t bytes) const {
  for (const Activity* told = this; told != nullptr; told = told->parent_) {
    if (told->listener_) told->listener_(bytes);
  }
  return cancel_.cancelled() ? absl::CancelledError(cancel_.reason()) : absl::OkStatus();
}

}  // namespace sparkles
