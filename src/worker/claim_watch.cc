#include "worker/claim_watch.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/random.h"

namespace sparkles {
namespace {

// What is older, in periods, should have been followed by another answer.
constexpr double kOldAnswer = 1.5;
// After an error; the call has itself tried for some seconds.
constexpr absl::Duration kAskAgain = absl::Seconds(4);

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
    log_.Warning("the claim is not looked after: ", thread_->status().message());
  }
}

void ClaimWatch::Watch(const CancelToken& done) {
  std::minstd_rand random(RandomSeed());
  std::uniform_real_distribution<> jitter(0.75, 1.25);
  absl::Duration wait = period_;
  while (clock_.Sleep(wait * jitter(random), done)) {
    const absl::StatusOr<ClaimState> state = Ask(done);
    if (state.ok() && *state != ClaimState::kOurs) return CancelIfEnded(*state, task_);
    wait = state.ok() ? period_ : std::min(period_, kAskAgain);
  }
}

absl::StatusOr<ClaimState> ClaimWatch::Confirm(Freshness freshness, const CancelToken& cancel) {
  if (period_ == absl::InfiniteDuration()) return ClaimState::kOurs;
  if (freshness == Freshness::kNow) return ConfirmNow(cancel);
  {
    MutexLock lock(mutex_);
    const absl::Duration age = clock_.Now() - last_answer_;
    // A clock that was set back says nothing of how old the answer is.
    if (age >= absl::ZeroDuration() && age < period_ * kOldAnswer) return ClaimState::kOurs;
  }
  return Ask(cancel);
}

absl::StatusOr<ClaimState> ClaimWatch::ConfirmNow(const CancelToken& cancel) {
  int64_t begun;
  {
    MutexLock lock(mutex_);
    begun = questions_;
  }
  MutexLock one(asking_);
  {
    MutexLock lock(mutex_);
    if (last_ours_ > begun) return ClaimState::kOurs;  // asked while we waited
  }
  return Ask(cancel);
}

absl::StatusOr<ClaimState> ClaimWatch::Ask(const CancelToken& cancel) {
  const absl::Time asked = clock_.Now();
  int64_t question;
  {
    MutexLock lock(mutex_);
    question = ++questions_;
  }
  const absl::StatusOr<ClaimState> state = queue_.Check(claim_, cancel);
  if (!state.ok()) {
    if (!cancel.cancelled()) log_.Debug("cannot look after the claim: ", state.status().message());
    return state;
  }
  if (*state == ClaimState::kOurs) {
    MutexLock lock(mutex_);
    last_answer_ = asked;
    last_ours_ = std::max(last_ours_, question);
  }
  return state;
}

}  // namespace sparkles
