#include "base/late_cancel.h"

#include <poll.h>

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
  while (!first_.cancelled()) {
    pollfd waited[] = {{first_.fd(), POLLIN, 0}, {done_.fd(), POLLIN, 0}};
    // Without descriptors (fd -1 is ignored by poll) look ten times a second.
    const bool blind = first_.fd() < 0 || done_.fd() < 0;
    (void)poll(waited, 2, blind ? 100 : -1);
    if (done_.cancelled()) return;
  }
  if (SystemClock().Sleep(grace_, done_)) token_.Cancel(first_.kind(), first_.reason());
}

}  // namespace sparkles
