// Wraps a queue: calls are signs of life, their times and outcomes are counted, and the claim that
// we hold is known to others.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/vitals.h"
#include "queue/queue.h"

namespace sparkles {

class MeteredQueue : public Queue {
 public:
  // Borrows all.
  MeteredQueue(Queue& queue, Clock& clock, Vitals& vitals)
      : queue_(queue), clock_(clock), vitals_(vitals) {}

  absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken& cancel) override;
  absl::Status SettleLastClaim(const std::string& reason) override;
  absl::Status Finish(const Claim& claim, const Outcome& outcome) override;
  absl::Status HandBack(const Claim& claim, const std::string& reason) override;
  void GiveUp(const Claim& claim, const Outcome& outcome) override {
    queue_.GiveUp(claim, outcome);
  }
  absl::StatusOr<ClaimState> Check(const Claim& claim, const CancelToken& cancel) override;
  std::vector<RecordedEnd> TakeEnds() override;
  bool MoreMayCome() const override { return queue_.MoreMayCome(); }

  // The claim that is neither finished nor handed back. Thread-safe, as are held_in_work and Check.
  std::optional<Claim> held() const;
  // The same, but nothing after the first call of Finish or HandBack for the claim.
  std::optional<Claim> held_in_work() const;

 private:
  void BeginEnd();
  void Answered(const absl::Status& status);
  void LetGo(const absl::Status& status, Counter& counter);

  Queue& queue_;
  Clock& clock_;
  Vitals& vitals_;
  mutable Mutex mutex_;
  std::optional<Claim> held_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sparkles
