// Cancels what must not be cut off at once, but must not drag on either.
#pragma once

#include <thread>

#include "absl/time/time.h"
#include "base/cancel.h"

namespace sparkles {

// `token()` is cancelled `grace` after `first` is, with the same kind and reason. Real time: the
// grace is an upper bound for when the network is gone, no schedule.
class LateCancel {
 public:
  // Borrows `first`.
  LateCancel(const CancelToken& first, absl::Duration grace);
  ~LateCancel();
  LateCancel(const LateCancel&) = delete;
  LateCancel& operator=(const LateCancel&) = delete;

  const CancelToken& token() const { return token_; }

 private:
  void Watch();

  const CancelToken& first_;
  const absl::Duration grace_;
  CancelToken token_;
  CancelToken done_;
  std::thread thread_;
};

}  // namespace sparkles
