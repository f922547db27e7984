// Gives signs of life during a long call, such as the sync of a large file to a slow disk.
#pragma once

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/heartbeat.h"
#include "base/mutex.h"

namespace sparkles {

// A disk that needs more time than this for one sync is treated as dead.
inline constexpr absl::Duration kKeepAliveLimit = absl::Minutes(10);

// From construction to destruction, a thread gives signs of life. Create the object before the
// call, on the thread that makes the call. After `limit` the signs of life end, so that the
// watchdog notices a call that hangs.
class KeepAlive {
 public:
  // Borrows `heartbeat`. Does nothing if it is null.
  explicit KeepAlive(Heartbeat* heartbeat, absl::Duration limit = kKeepAliveLimit);
  ~KeepAlive();
  KeepAlive(const KeepAlive&) = delete;
  KeepAlive& operator=(const KeepAlive&) = delete;

  // Call this before each further call: gives a sign of life, and starts the limit again.
  void Next() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Watch() ABSL_LOCKS_EXCLUDED(mutex_);

  Heartbeat* const heartbeat_;
  const absl::Duration limit_;
  Mutex mutex_;
  CondVar over_changed_;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration waited_ ABSL_GUARDED_BY(mutex_);  // since the current call began
  std::thread thread_;
};

}  // namespace sparkles
