#include "base/late_cancel.h"

#include <system_error>

#include "base/clock.h"
#include "base/thread.h"

namespace sparkles {

LateCancel::LateCancel(const CancelToken& first, absl::Duration grace)
    : first_(first), grace_(grace) {
  try {
    thread_ = StartHousekeeping("late-cancel", [this] { Watch(); });
  } catch (const std::system_error&) {
    thread_ = {};  // then nothing is cut off: rather late than not at all
  }
}

LateCancel::~LateCancel() {
  done_.Cancel(CancelKind::kAbort, "");
  if (thread_.joinable()) thread_.join();
}

void LateCancel::Watch() {
  if (!AwaitCancel(first_, done_)) return;
  if (SystemClock().Sleep(grace_, done_)) token_.Cancel(first_.kind(), first_.reason());
}

}  // namespace sparkles
