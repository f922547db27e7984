// One answer for all who ask for the process status within a while, since it costs.
#pragma once

#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "monitor/process_status.h"

namespace sparkles {

// Thread-safe. Who asks while it is read waits for that answer.
class StatusCache {
 public:
  // An answer is at least that old before another is read,
  static constexpr absl::Duration kLeastAge = absl::Milliseconds(250);
  // and so many times as old as it took to read it: whoever asks, and however many processes there
  // are, that is a twentieth of a processor. Clients ask once a second.
  static constexpr int kAgeByCost = 20;

  // but not longer than this.
  static constexpr absl::Duration kMostAge = absl::Seconds(10);

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
  absl::Duration good_for_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
