// A queue in memory.
// One object has the tasks, and each worker has its own queue object, so that a test can have
// several workers and act as the client that resets a task.
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

  // A copy. The task must exist.
  Entry Find(const std::string& task_id) const;
  // Resets a task, as the client does for a user.
  void Reset(const std::string& task_id);

 private:
  friend class MemQueue;
  void Change(Entry& entry, TaskStatus status, const std::string& owner, const std::string& reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock& clock_;
  mutable Mutex mutex_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);
};

// Borrows the tasks. If it is destroyed with an open claim, the task stays claimed, as after a
// worker's death.
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
  bool CanReceiveNewTasks() const override { return can_receive_new_tasks; }

  bool can_receive_new_tasks = false;
  // The next calls return these errors, the first one first, and do nothing else.
  std::vector<absl::Status> claim_errors;
  std::vector<absl::Status> finish_errors;
  std::vector<absl::Status> hand_back_errors;
  std::vector<std::string> given_up;  // ids of the tasks
  std::vector<RecordedEnd> ends;      // returned by the next call for recorded ends

 private:
  // Null if the claim is lost.
  MemTasks::Entry* FindClaimed(const Claim& claim) ABSL_EXCLUSIVE_LOCKS_REQUIRED(tasks_.mutex_);

  MemTasks& tasks_;
  const std::string owner_;
};

}  // namespace sparkles
