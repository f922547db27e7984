// Sets the time limit for a server's answer: each timeout makes the next limit longer.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace sparkles {

// Thread-safe. For requests of one kind.
class AdaptiveTimeout {
 public:
  AdaptiveTimeout(absl::Duration shortest, absl::Duration longest)
      : shortest_(shortest), longest_(longest), limit_(shortest) {}

  // The time limit for the next request, between `shortest` and `longest`.
  absl::Duration limit() const;

  // Call after an answer that took `took`. Halves the limit, but not below twice `took`.
  void OnAnswer(absl::Duration took);
  // Call after a timeout of `limit`: the next limit is twice as long.
  void OnTimeout(absl::Duration limit);

 private:
  const absl::Duration shortest_;
  const absl::Duration longest_;
  mutable Mutex mutex_;
  absl::Duration limit_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
