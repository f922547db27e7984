// The one retry loop.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/vitals.h"

namespace sparkles {

enum class Idempotency {
  kIdempotent,     // may be sent again whatever became of the first
  kNotIdempotent,  // only if it is certain that the server did nothing
};

// Is told, by any thread, of each wait for another attempt: why, and the how manieth failure of the
// call it was.
class RetryObserver {
 public:
  virtual ~RetryObserver() = default;
  virtual void Waits(const absl::Status& status, int failures) = 0;
};

// Waits are exponential with full jitter: a random part of `first`, then of twice that, up to
// `longest`; never less than the server's Retry-After (which counts up to two minutes).
struct RetryPolicy {
  absl::Duration first = absl::Seconds(1);
  absl::Duration longest = absl::Seconds(30);
  // No attempt starts when those before it and the waits have taken this long since the last
  // progress. An attempt counts for 5 minutes at most, as if more had been a freeze.
  absl::Duration patience = absl::Minutes(5);
  Counter* retries = nullptr;         // borrowed, may be null: counts the attempts after the first
  RetryObserver* observer = nullptr;  // borrowed, may be null
};

// What an attempt returned, and whether it moved things on: progress starts the patience and the
// waits over (a download of a day may meet many short outages).
struct Attempt {
  absl::Status status;
  bool progress = false;
};

// Calls `attempt` until it succeeds, fails with something not transient (or maybe applied, for what
// is not idempotent), patience is at its end, or `cancel` is cancelled (then Cancelled with its
// reason). Returns the last error, with the number of attempts in its message if there were
// several. Thread-safe; each call has its own jitter.
absl::Status RetryLoop(const RetryPolicy& policy, Idempotency idempotency, Clock& clock,
                       const CancelToken& cancel, absl::FunctionRef<Attempt()> attempt);

}  // namespace sparkles
