#include "queue/metered_queue.h"

namespace sparkles {
namespace {

Counter& CounterOf(Outcome::Kind kind, Vitals& vitals) {
  switch (kind) {
    case Outcome::Kind::kComplete:
      return vitals.complete;
    case Outcome::Kind::kFailed:
      return vitals.failed;
    case Outcome::Kind::kKilled:
      return vitals.killed;
    case Outcome::Kind::kHandBack:
      return vitals.handed_back;
    case Outcome::Kind::kClaimLost:
      break;
  }
  return vitals.claim_lost;
}

}  // namespace

absl::StatusOr<std::optional<Claim>> MeteredQueue::ClaimOne(const CancelToken& cancel) {
  {
    MutexLock lock(mutex_);
    held_.reset();  // of a claim that was dropped, or given up
  }
  vitals_.heartbeat.Beat();
  const absl::Time start = clock_.Now();
  absl::StatusOr<std::optional<Claim>> claim = queue_.ClaimOne(cancel);
  vitals_.claim_time.Add(clock_.Now() - start);
  Answered(claim.status());
  if (claim.ok() && claim->has_value()) {
    vitals_.claimed.Add();
    MutexLock lock(mutex_);
    held_ = **claim;
    ending_ = false;
  }
  return claim;
}

absl::Status MeteredQueue::SettleLastClaim(const std::string& reason) {
  vitals_.heartbeat.Beat();
  absl::Status status = queue_.SettleLastClaim(reason);
  Answered(status);
  return status;
}

absl::Status MeteredQueue::Finish(const Claim& claim, const Outcome& outcome) {
  BeginEnd();
  const absl::Time start = clock_.Now();
  const absl::Status status = queue_.Finish(claim, outcome);
  vitals_.end_time.Add(clock_.Now() - start);
  LetGo(status, CounterOf(outcome.kind, vitals_));
  return status;
}

absl::Status MeteredQueue::HandBack(const Claim& claim, const std::string& reason) {
  BeginEnd();
  const absl::Time start = clock_.Now();
  const absl::Status status = queue_.HandBack(claim, reason);
  vitals_.end_time.Add(clock_.Now() - start);
  LetGo(status, vitals_.handed_back);
  return status;
}

std::vector<RecordedEnd> MeteredQueue::TakeEnds() {
  std::vector<RecordedEnd> ends = queue_.TakeEnds();
  for (const RecordedEnd& end : ends) CounterOf(end.kind, vitals_).Add();
  return ends;
}

absl::StatusOr<ClaimState> MeteredQueue::Check(const Claim& claim, const CancelToken& cancel) {
  absl::StatusOr<ClaimState> state = queue_.Check(claim, cancel);
  if (!absl::IsCancelled(state.status())) Answered(state.status());
  return state;
}

std::optional<Claim> MeteredQueue::held() const {
  MutexLock lock(mutex_);
  return held_;
}

std::optional<Claim> MeteredQueue::held_in_work() const {
  MutexLock lock(mutex_);
  return ending_ ? std::nullopt : held_;
}

void MeteredQueue::BeginEnd() {
  vitals_.heartbeat.Beat();
  MutexLock lock(mutex_);
  ending_ = true;
}

// Contention is an answer, too.
void MeteredQueue::Answered(const absl::Status& status) {
  vitals_.heartbeat.Beat();
  if (status.ok() || absl::IsAborted(status)) {
    vitals_.queue_answered_ms = absl::ToUnixMillis(clock_.Now());
  } else if (!absl::IsCancelled(status)) {
    vitals_.queue_errors.Add();
  }
}

void MeteredQueue::LetGo(const absl::Status& status, Counter& counter) {
  Answered(status);
  if (!status.ok() && !absl::IsAborted(status)) return;  // it will be tried again
  (status.ok() ? counter : vitals_.claim_lost).Add();
  MutexLock lock(mutex_);
  held_.reset();
}

}  // namespace sparkles
