// How long a server is given to answer: longer after each answer that did not come in time.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace sparkles {

// Thread-safe. For requests of one kind.
class AnswerTime {
 public:
  AnswerTime(absl::Duration shortest, absl::Duration longest)
      : shortest_(shortest), longest_(longest), limit_(shortest) {}

  // The time limit for the next request, between `shortest` and `longest`.
  absl::Duration limit() const;

  // An answer took that long. The limit stays at least twice that, and halves at most.
  void Answered(absl::Duration took);
  // No answer came within `limit`: the next one doubles it.
  void Missed(absl::Duration limit);

 private:
  const absl::Duration shortest_;
  const absl::Duration longest_;
  mutable Mutex mutex_;
  absl::Duration limit_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
