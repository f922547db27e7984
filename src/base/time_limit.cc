#include "base/time_limit.h"

#include <system_error>

#include "base/clock.h"
#include "base/thread.h"

namespace sparkles {

TimeLimit::TimeLimit(const CancelToken& parent, absl::Duration limit) : token_(&parent) {
  try {
    thread_ = StartHousekeeping("time-limit", [this, limit] {
      if (SystemClock().Sleep(limit, done_)) token_.Cancel(CancelKind::kAbort, "it takes too long");
    });
  } catch (const std::system_error&) {
    thread_ = {};  // then nothing is cut off: rather late than not at all
  }
}

TimeLimit::~TimeLimit() {
  done_.Cancel(CancelKind::kAbort, "");
  if (thread_.joinable()) thread_.join();
}

}  // namespace sparkles
