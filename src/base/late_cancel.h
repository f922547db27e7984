// Tokens that a thread cancels later. Times are upper bounds in real time. If the system refuses
// the thread, no time limit applies.
#pragma once

#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/thread.h"

namespace sparkles {

// Gives work some time after a request to stop: `token()` is cancelled `grace` after `first`, with
// the same kind and reason.
class LateCancel {
 public:
  // Borrows `first`.
  LateCancel(const CancelToken& first, absl::Duration grace)
      : thread_("late-cancel", [this, &first, grace](const CancelToken& stop) {
          if (!AwaitCancel(first, stop) || !SystemClock().Sleep(grace, stop)) return;
          token_.Cancel(first.kind(), first.reason());
        }) {}

  const CancelToken& token() const { return token_; }

 private:
  CancelToken token_;
  Housekeeper thread_;
};

// Bounds the time of one piece of work: `token()` is cancelled with `parent`, or `limit` after the
// construction.
class TimeLimit {
 public:
  // Borrows `parent`.
  TimeLimit(const CancelToken& parent, absl::Duration limit)
      : token_(&parent), thread_("time-limit", [this, limit](const CancelToken& stop) {
          if (!SystemClock().Sleep(limit, stop)) return;
          token_.Cancel(CancelKind::kAbort, "it takes too long");
        }) {}

  const CancelToken& token() const { return token_; }

 private:
  CancelToken token_;
  Housekeeper thread_;
};

}  // namespace sparkles
