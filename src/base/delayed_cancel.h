// Tokens that a thread cancels after a time.
// Times are upper bounds in real time. If the system refuses the thread, there is no time limit.
#pragma once

#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/thread.h"

namespace sparkles {

// Gives work more time after a request to stop: `token()` is cancelled `grace` after `first`, with
// the same kind and reason.
class DelayedCancel {
 public:
  // Borrows `first`.
  DelayedCancel(const CancelToken& first, absl::Duration grace)
      : thread_("delayed-cancel", [this, &first, grace](const CancelToken& stop) {
          if (!AwaitCancel(first, stop) || !SystemClock().Sleep(grace, stop)) return;
          token_.Cancel(first.kind(), first.reason());
        }) {}

  const CancelToken& token() const { return token_; }

 private:
  CancelToken token_;
  Housekeeper thread_;
};

// Limits the time of one piece of work: `token()` is cancelled with `parent`, or `limit` after
// construction.
class TimeLimit {
 public:
  // Borrows `parent`.
  TimeLimit(const CancelToken& parent, absl::Duration limit)
      : token_(&parent), thread_("time-limit", [this, limit](const CancelToken& stop) {
          if (!SystemClock().Sleep(limit, stop)) return;
          token_.Cancel(CancelKind::kAbort, "the time limit has passed");
        }) {}

  const CancelToken& token() const { return token_; }

 private:
  CancelToken token_;
  Housekeeper thread_;
};

}  // namespace sparkles
