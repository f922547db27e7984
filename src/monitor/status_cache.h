// Caches the process status for all clients, because reading it is expensive.
#pragma once

#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "monitor/process_status.h"

namespace sparkles {

// Thread-safe. Calls during a read wait for its result.
class StatusCache {
 public:
  // A status is used again until it is 20 times as old as its read took, so that reads take at most
  // a twentieth of a processor. Usual clients call once a second.
  static constexpr int kAgePerCost = 20;
  // Limits of that age.
  static constexpr absl::Duration kMinAge = absl::Milliseconds(250);
  static constexpr absl::Duration kMaxAge = absl::Seconds(10);

  // Borrows `clock`.
  StatusCache(Clock& clock, std::function<ProcessStatus()> read)
      : clock_(clock), read_(std::move(read)) {}

  ProcessStatus Current();

 private:
  Clock& clock_;
  const std::function<ProcessStatus()> read_;
  Mutex mutex_;
  ProcessStatus status_ ABSL_GUARDED_BY(mutex_);
  absl::Time time_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Duration max_age_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
