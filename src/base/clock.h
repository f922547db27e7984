// The interface to time: code that waits or reads the clock takes a Clock, so tests need not wait.
#pragma once

#include "absl/time/time.h"
#include "base/cancel.h"

namespace sparkles {

class Clock {
 public:
  virtual ~Clock() = default;
  // The wall-clock time.
  virtual absl::Time Now() = 0;
  // Waits for `duration` or until `cancel` is cancelled. True if `duration` has passed.
  virtual bool Sleep(absl::Duration duration, const CancelToken& cancel) = 0;
};

// Thread-safe.
class SystemClock : public Clock {
 public:
  absl::Time Now() override;
  bool Sleep(absl::Duration duration, const CancelToken& cancel) override;
};

}  // namespace sparkles
