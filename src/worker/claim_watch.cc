#include "worker/claim_watch.h"

#include <random>
#include <system_error>
#include <utility>

namespace sparkles {
namespace {

// What is older, in periods, should have been followed by another answer.
constexpr double kOldAnswer = 1.5;

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
  try {
    thread_ = std::thread([this] { Watch(); });
  } catch (const std::system_error& error) {
    log_.Warning("the claim is not looked after: ", error.what());
  }
}

ClaimWatch::~ClaimWatch() {
  done_.Cancel(CancelKind::kAbort, "the task has ended");
  if (thread_.joinable()) thread_.join();
}

void ClaimWatch::Watch() {
  std::minstd_rand random(std::random_device{}());
  std::uniform_real_distribution<> jitter(0.75, 1.25);
  while (clock_.Sleep(period_ * jitter(random), done_)) {
    if (!Ask()) return;
  }
}

void ClaimWatch::Confirm() {
  if (period_ == absl::InfiniteDuration()) return;
  {
    MutexLock lock(mutex_);
    const absl::Duration age = clock_.Now() - last_answer_;
    // A clock that was set back says nothing of how old the answer is.
    if (age >= absl::ZeroDuration() && age < period_ * kOldAnswer) return;
  }
  (void)Ask();
}

bool ClaimWatch::Ask() {
  const absl::Time asked = clock_.Now();
  const absl::StatusOr<ClaimState> state = queue_.Check(claim_, done_);
  if (!state.ok()) {
    if (!done_.cancelled()) log_.Debug("cannot look after the claim: ", state.status().message());
    return true;
  }
  if (*state == ClaimState::kOurs) {
    MutexLock lock(mutex_);
    last_answer_ = asked;
    return true;
  }
  if (*state == ClaimState::kKilled) {
    task_.Cancel(CancelKind::kKilled, "the job was killed");
  } else {
    task_.Cancel(CancelKind::kClaimLost, "the claim is no longer ours");
  }
  return false;
}

}  // namespace sparkles
