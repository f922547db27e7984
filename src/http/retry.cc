#include "http/retry.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/backoff.h"
#include "base/status.h"
#include "http/transient.h"

namespace sparkles {
namespace {

// Longer than that nobody waits because a server says so: it may be mistaken.
constexpr absl::Duration kLongestRetryAfter = absl::Minutes(2);
// What one attempt takes from the patience at most. Requests have shorter limits of their own; one
// that seems to have taken longer went on while this machine was frozen, or its clock was set.
constexpr absl::Duration kLongestAttempt = absl::Minutes(5);

absl::Status CancelledBy(const CancelToken& cancel) {
  return absl::CancelledError(cancel.reason());
}

bool MayRepeat(const absl::Status& status, Idempotency idempotency) {
  if (!IsTransient(status)) return false;
  return idempotency == Idempotency::kIdempotent || !MaybeApplied(status);
}

absl::Status WithCount(const absl::Status& status, int attempts) {
  if (attempts <= 1) return status;
  return WithMessage(status, absl::StrCat(status.message(), " (", attempts, " attempts)"));
}

// The wait before the next attempt; not less than what the server asked for.
absl::Duration NextWait(Backoff& backoff, const absl::Status& status) {
  const absl::Duration asked = RetryAfter(status).value_or(absl::ZeroDuration());
  return std::max(backoff.Next(), std::min(asked, kLongestRetryAfter));
}

}  // namespace

absl::Status RetryLoop(const RetryPolicy& policy, Idempotency idempotency, Clock& clock,
                       const CancelToken& cancel, absl::FunctionRef<Attempt()> attempt) {
  Backoff backoff(policy.first, policy.longest, 0);
  absl::Duration spent;
  for (int attempts = 1;; ++attempts) {
    if (cancel.cancelled()) return CancelledBy(cancel);
    const absl::Time started = clock.Now();
    const Attempt outcome = attempt();
    if (outcome.status.ok()) return outcome.status;
    if (!MayRepeat(outcome.status, idempotency)) return WithCount(outcome.status, attempts);
    if (outcome.progress) {
      backoff.Reset();
      spent = absl::ZeroDuration();
    } else {
      spent += std::clamp(clock.Now() - started, absl::ZeroDuration(), kLongestAttempt);
    }
    const absl::Duration wait = NextWait(backoff, outcome.status);
    spent += wait;
    if (spent > policy.patience) return WithCount(outcome.status, attempts);
    if (policy.observer != nullptr) policy.observer->Waits(outcome.status, attempts);
    if (!clock.Sleep(wait, cancel)) return CancelledBy(cancel);
    if (policy.retries != nullptr) policy.retries->Add();
  }
}

}  // namespace sparkles
