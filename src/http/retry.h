// Retries a failed operation with backoff.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/worker_metrics.h"

namespace sparkles {

enum class Idempotency {
  kIdempotent,     // may always be repeated
  kNotIdempotent,  // may be repeated only if the server certainly did nothing
};

class RetryObserver {
 public:
  virtual ~RetryObserver() = default;
  // Called before each wait, with the error of the last attempt and the number of failed attempts.
  // Any thread may call this.
  virtual void OnWait(const absl::Status& status, int failures) = 0;
};

// The waits grow exponentially with full jitter: a random part of `first`, then of twice that, up
// to `longest`. A wait is not shorter than the server's Retry-After (at most two minutes).
struct RetryPolicy {
  absl::Duration first = absl::Seconds(1);
  absl::Duration longest = absl::Seconds(30);
  // No attempt starts if the attempts and waits since the last progress have taken longer than
  // this. An attempt counts for at most 5 minutes, because a longer one was probably a freeze.
  absl::Duration max_elapsed = absl::Minutes(5);
  Counter* retries = nullptr;         // borrowed, may be null; counts the attempts after the first
  RetryObserver* observer = nullptr;  // borrowed, may be null
};

// The result of an attempt. Progress resets the elapsed time and the waits, because a download of a
// day may meet many short outages.
struct Attempt {
  absl::Status status;
  bool progress = false;
};

// Calls `attempt` until
// - it succeeds;
// - it fails with an error that is not transient, or that is maybe applied and not idempotent;
// - `max_elapsed` has passed; or
// - `cancel` is cancelled. Then the result is Cancelled with the token's reason.
// Returns the last error. Its message has the number of attempts if there were several.
// Thread-safe.
absl::Status RetryLoop(const RetryPolicy& policy, Idempotency idempotency, Clock& clock,
                       const CancelToken& cancel, absl::FunctionRef<Attempt()> attempt);

}  // namespace sparkles
