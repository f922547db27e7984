// A queue in memory. The tasks are one object and each worker's view of them another, so that a
// test can have many workers and play the client who resets a task.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "queue/queue.h"
#include "task/task.h"

namespace sparkles {

// Thread-safe. Borrows the clock.
class MemTasks {
 public:
  struct Entry {
    Task task;
    TaskStatus status = TaskStatus::kPending;
    std::string owner;
    std::string exit_code;
    std::string failure_reason;
    int version = 1;
    std::vector<HistoryEntry> history;
  };

  MemTasks(const std::vector<Task>& tasks, Clock& clock);

  // A copy; the task must exist.
  Entry Find(const std::string& task_id) const;
  // What the client does when the user resets a task.
  void Reset(const std::string& task_id);

 private:
  friend class MemQueue;
  void Change(Entry& entry, TaskStatus status, const std::string& owner, const std::string& reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock& clock_;
  mutable Mutex mutex_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

// Borrows the tasks. Destroyed with an open claim it leaves the task claimed, as a dead worker
// does.
class MemQueue : public Queue {
 public:
  MemQueue(MemTasks& tasks, std::string owner) : tasks_(tasks), owner_(std::move(owner)) {}

  absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken& cancel) override;
  absl::Status Finish(const Claim& claim, const Outcome& outcome) override;
  absl::Status HandBack(const Claim& claim, const std::string& reason) override;
  absl::StatusOr<ClaimState> Check(const Claim& claim, const CancelToken& cancel) override;
  void LeaveUnrecorded(const Claim& claim, const Outcome&) override {
    given_up.push_back(claim.task.id);
  }
  std::vector<RecordedEnd> TakeRecordedEnds() override { return std::exchange(ends, {}); }
  bool CanReceiveNewTasks() const override { return more_may_come; }

  bool more_may_come = false;
  // The next calls of each give these instead of doing anything, first one first.
  std::vector<absl::Status> claim_errors;
  std::vector<absl::Status> finish_errors;
  std::vector<absl::Status> hand_back_errors;
  std::vector<std::string> given_up;  // ids
  std::vector<RecordedEnd> ends;      // to be told

 private:
  // Null if the claim is no longer ours.
  MemTasks::Entry* FindClaimed(const Claim& claim) ABSL_EXCLUSIVE_LOCKS_REQUIRED(tasks_.mutex_);

  MemTasks& tasks_;
  const std::string owner_;
};

}  // namespace sparkles
