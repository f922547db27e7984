// Signs of life during a call that can give none: a sync of a disk that is slow or has much to do.
#pragma once

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/vitals.h"

namespace sparkles {

// A disk that has not come to an end with one sync by then is taken for dead.
inline constexpr absl::Duration kSlowCallLimit = absl::Minutes(10);

// Make one on the thread that makes the call, around it: it starts a thread that beats as long as
// this object lives, but no longer than the limit, so that the watchdog has its say in the end.
class SlowCall {
 public:
  // Borrows `heartbeat`; if it is null nothing happens.
  explicit SlowCall(Heartbeat* heartbeat, absl::Duration limit = kSlowCallLimit);
  ~SlowCall();
  SlowCall(const SlowCall&) = delete;
  SlowCall& operator=(const SlowCall&) = delete;

  // Before another call of the same kind: a sign of life, and the limit begins anew.
  void Next() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Watch() ABSL_LOCKS_EXCLUDED(mutex_);

  Heartbeat* const heartbeat_;
  const absl::Duration limit_;
  Mutex mutex_;
  CondVar over_changed_;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration waited_ ABSL_GUARDED_BY(mutex_);  // for the call under way
  std::thread thread_;
};

}  // namespace sparkles
