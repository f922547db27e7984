#include "queue/metered_queue.h"

namespace sparkles {
namespace {

Counter& CounterOf(Outcome::Kind kind, WorkerMetrics& metrics) {
  switch (kind) {
    case Outcome::Kind::kComplete:
      return metrics.complete;
    case Outcome::Kind::kFailed:
      return metrics.failed;
    case Outcome::Kind::kKilled:
      return metrics.killed;
    case Outcome::Kind::kHandBack:
      return metrics.handed_back;
    case Outcome::Kind::kClaimLost:
      break;
  }
  return metrics.claim_lost;
}

}  // namespace

absl::StatusOr<std::optional<Claim>> MeteredQueue::ClaimOne(const CancelToken& cancel) {
  {
    MutexLock lock(mutex_);
    held_.reset();  // a claim that was lost, or whose end was left unrecorded
  }
  metrics_.heartbeat.Beat();
  const absl::Time start = clock_.Now();
  absl::StatusOr<std::optional<Claim>> claim = queue_.ClaimOne(cancel);
  metrics_.claim_time.Add(clock_.Now() - start);
  RecordAnswer(claim.status());
  if (claim.ok() && claim->has_value()) {
    metrics_.claimed.Add();
    MutexLock lock(mutex_);
    held_ = **claim;
    ending_ = false;
  }
  return claim;
}

absl::Status MeteredQueue::RevokeUnknownClaim(const std::string& reason) {
  metrics_.heartbeat.Beat();
  absl::Status status = queue_.RevokeUnknownClaim(reason);
  RecordAnswer(status);
  return status;
}

absl::Status MeteredQueue::Finish(const Claim& claim, const Outcome& outcome) {
  NoteEndBegun();
  const absl::Time start = clock_.Now();
  const absl::Status status = queue_.Finish(claim, outcome);
  metrics_.end_time.Add(clock_.Now() - start);
  RecordEnd(status, CounterOf(outcome.kind, metrics_));
  return status;
}

absl::Status MeteredQueue::HandBack(const Claim& claim, const std::string& reason) {
  NoteEndBegun();
  const absl::Time start = clock_.Now();
  const absl::Status status = queue_.HandBack(claim, reason);
  metrics_.end_time.Add(clock_.Now() - start);
  RecordEnd(status, metrics_.handed_back);
  return status;
}

std::vector<RecordedEnd> MeteredQueue::TakeRecordedEnds() {
  std::vector<RecordedEnd> ends = queue_.TakeRecordedEnds();
  for (const RecordedEnd& end : ends) CounterOf(end.kind, metrics_).Add();
  return ends;
}

absl::StatusOr<ClaimState> MeteredQueue::Check(const Claim& claim, const CancelToken& cancel) {
  absl::StatusOr<ClaimState> state = queue_.Check(claim, cancel);
  if (!absl::IsCancelled(state.status())) RecordAnswer(state.status());
  return state;
}

std::optional<Claim> MeteredQueue::held() const {
  MutexLock lock(mutex_);
  return held_;
}

std::optional<Claim> MeteredQueue::held_not_ending() const {
  MutexLock lock(mutex_);
  return ending_ ? std::nullopt : held_;
}

void MeteredQueue::NoteEndBegun() {
  metrics_.heartbeat.Beat();
  MutexLock lock(mutex_);
  ending_ = true;
}

// Aborted (other workers were faster) counts as an answer, too.
void MeteredQueue::RecordAnswer(const absl::Status& status) {
  metrics_.heartbeat.Beat();
  if (status.ok() || absl::IsAborted(status)) {
    metrics_.queue_answered_ms = absl::ToUnixMillis(clock_.Now());
  } else if (!absl::IsCancelled(status)) {
    metrics_.queue_errors.Add();
  }
}

void MeteredQueue::RecordEnd(const absl::Status& status, Counter& counter) {
  RecordAnswer(status);
  if (!status.ok() && !absl::IsAborted(status)) return;  // the caller tries again
  (status.ok() ? counter : metrics_.claim_lost).Add();
  MutexLock lock(mutex_);
  held_.reset();
}

}  // namespace sparkles
