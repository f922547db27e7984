#include "storage/transfer_slots.h"

#include <algorithm>

#include "absl/time/time.h"
#include "base/status.h"

namespace sparkles {

absl::StatusOr<TransferSlots::Lease> TransferSlots::Take(const Activity& activity) {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (free_ == 0) freed_.WaitFor(mutex_, absl::Seconds(1));
      if (free_ > 0) {
        --free_;
        return Lease(*this, 1);
      }
    }
    RETURN_IF_ERROR(activity.ReportWait());
  }
}

TransferSlots::Lease TransferSlots::TakeFree(int wanted) {
  MutexLock lock(mutex_);
  const int count = std::min(wanted, free_);
  free_ -= count;
  return Lease(*this, count);
}

void TransferSlots::Free(int count) {
  if (count == 0) return;  // a moved-from lease; the mutex may be held
  {
    MutexLock lock(mutex_);
    free_ += count;
  }
  for (int i = 0; i < count; ++i) freed_.NotifyOne();
}

}  // namespace sparkles
