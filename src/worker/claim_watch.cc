#include "worker/claim_watch.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/random.h"

namespace sparkles {
namespace {

// An answer is old after this many periods, because another answer should have followed.
constexpr double kMaxAnswerAge = 1.5;
// The wait after an error. The call itself has already retried for some seconds.
constexpr absl::Duration kRetryWait = absl::Seconds(4);

}  // namespace

ClaimWatch::ClaimWatch(absl::Duration period, Clock& clock, Queue& queue, const Claim& claim,
                       CancelToken& task, Log log)
    : period_(period),
      clock_(clock),
      queue_(queue),
      claim_(claim),
      task_(task),
      log_(std::move(log)),
      last_answer_(clock.Now()) {
  if (period_ == absl::InfiniteDuration()) return;
  thread_.emplace("claim-watch", [this](const CancelToken& done) { Watch(done); });
  if (!thread_->status().ok()) {
    log_.Warning("the claim is not watched while the task runs: ", thread_->status().message());
  }
}

void ClaimWatch::Watch(const CancelToken& done) {
  std::minstd_rand random(RandomSeed());
  std::uniform_real_distribution<> jitter(0.75, 1.25);
  absl::Duration wait = period_;
  while (clock_.Sleep(wait * jitter(random), done)) {
    const absl::StatusOr<ClaimState> state = CheckClaim(done);
    if (state.ok() && *state != ClaimState::kHeld) return CancelIfEnded(*state, task_);
    wait = state.ok() ? period_ : std::min(period_, kRetryWait);
  }
}

absl::StatusOr<ClaimState> ClaimWatch::Confirm(Freshness freshness, const CancelToken& cancel) {
  if (period_ == absl::InfiniteDuration()) return ClaimState::kHeld;
  if (freshness == Freshness::kNow) return ConfirmNow(cancel);
  {
    MutexLock lock(mutex_);
    const absl::Duration age = clock_.Now() - last_answer_;
    // A negative age means that the clock was set back and the age is unknown.
    if (age >= absl::ZeroDuration() && age < period_ * kMaxAnswerAge) return ClaimState::kHeld;
  }
  return CheckClaim(cancel);
}

absl::StatusOr<ClaimState> ClaimWatch::ConfirmNow(const CancelToken& cancel) {
  int64_t checks_before;
  {
    MutexLock lock(mutex_);
    checks_before = checks_;
  }
  MutexLock one(check_mutex_);
  {
    MutexLock lock(mutex_);
    if (last_held_ > checks_before) return ClaimState::kHeld;  // checked while this thread waited
  }
  return CheckClaim(cancel);
}

absl::StatusOr<ClaimState> ClaimWatch::CheckClaim(const CancelToken& cancel) {
  const absl::Time asked = clock_.Now();
  int64_t check;
  {
    MutexLock lock(mutex_);
    check = ++checks_;
  }
  const absl::StatusOr<ClaimState> state = queue_.Check(claim_, cancel);
  if (!state.ok()) {
    if (!cancel.cancelled()) log_.Debug("cannot check the claim: ", state.status().message());
    return state;
  }
  if (*state == ClaimState::kHeld) {
    MutexLock lock(mutex_);
    last_answer_ = asked;
    last_held_ = std::max(last_held_, check);
  }
  return state;
}

}  // namespace sparkles
