// Wraps a queue: counts calls and outcomes, gives signs of life, and remembers the held claim.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/worker_metrics.h"
#include "queue/queue.h"

namespace sparkles {

class MeteredQueue : public Queue {
 public:
  // Borrows `queue`, `clock` and `metrics`.
  MeteredQueue(Queue& queue, Clock& clock, WorkerMetrics& metrics)
      : queue_(queue), clock_(clock), metrics_(metrics) {}

  absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken& cancel) override;
  absl::Status RevokeUnknownClaim(const std::string& reason) override;
  absl::Status Finish(const Claim& claim, const Outcome& outcome) override;
  absl::Status HandBack(const Claim& claim, const std::string& reason) override;
  void LeaveUnrecorded(const Claim& claim, const Outcome& outcome) override {
    queue_.LeaveUnrecorded(claim, outcome);
  }
  absl::StatusOr<ClaimState> Check(const Claim& claim, const CancelToken& cancel) override;
  std::vector<RecordedEnd> TakeRecordedEnds() override;
  bool CanReceiveNewTasks() const override { return queue_.CanReceiveNewTasks(); }

  // The claim that is neither finished nor handed back. Thread-safe, like held_not_ending and
  // Check.
  std::optional<Claim> held() const;
  // The held claim, or nullopt after the first call of Finish or HandBack for it.
  std::optional<Claim> held_not_ending() const;

 private:
  void NoteEndBegun();
  void RecordAnswer(const absl::Status& status);
  void RecordEnd(const absl::Status& status, Counter& counter);

  Queue& queue_;
  Clock& clock_;
  WorkerMetrics& metrics_;
  mutable Mutex mutex_;
  std::optional<Claim> held_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sparkles
