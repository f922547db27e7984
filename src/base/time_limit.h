// Cuts off what should not take long, whatever it waits for.
#pragma once

#include <thread>

#include "absl/time/time.h"
#include "base/cancel.h"

namespace sparkles {

// `token()` is cancelled with `parent`, or `limit` after this was made. Real time: an upper bound,
// no schedule.
class TimeLimit {
 public:
  // Borrows `parent`.
  TimeLimit(const CancelToken& parent, absl::Duration limit);
  ~TimeLimit();
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;

  const CancelToken& token() const { return token_; }

 private:
  CancelToken token_;
  CancelToken done_;
  std::thread thread_;
};

}  // namespace sparkles
