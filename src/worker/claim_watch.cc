#include "worker/claim_watch.h"

#include <random>
#include <system_error>
#include <utility>

namespace sparkles {

ClaimWatch::ClaimWatch(absl::Duration period, Clock& clock, Queue& queue, const Claim& claim,
                       CancelToken& task, Log log)
    : period_(period),
      clock_(clock),
      queue_(queue),
      claim_(claim),
      task_(task),
      log_(std::move(log)) {
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
    const absl::StatusOr<ClaimState> state = queue_.Check(claim_, done_);
    if (!state.ok()) {
      if (!done_.cancelled()) log_.Debug("cannot look after the claim: ", state.status().message());
      continue;
    }
    if (*state == ClaimState::kOurs) continue;
    if (*state == ClaimState::kKilled) {
      task_.Cancel(CancelKind::kKilled, "the job was killed");
    } else {
      task_.Cancel(CancelKind::kClaimLost, "the claim is no longer ours");
    }
    return;
  }
}

}  // namespace sparkles
