// The queue of a tasks file, with the state of its tasks in FILE.state.
// Any number of workers may share the file. state_log.h explains the locks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "queue/queue.h"
#include "queue/state_log.h"
#include "queue/task_entry.h"
#include "queue/task_table.h"
#include "queue/tasks_file_watch.h"

namespace sparkles {

struct FileQueueOptions {
  std::string owner;                // the owner in claims; need not be unique
  bool durable = true;              // ends of claims are synced to disk
  TasksFileWatch* watch = nullptr;  // borrowed; if null, the list of tasks is fixed
  const Log* log = nullptr;         // borrowed, may be null; for changed and damaged files
  // False if another worker of this machine has already logged the message.
  std::function<bool(absl::string_view message)> is_news = [](absl::string_view) { return true; };
};

// Tasks are claimed in the file's order, except that tasks which this worker has handed back come
// last. A claim ends with its worker. Other workers claim such a task when no other is pending.
//
// ClaimOne first checks the tasks file for changes. The id identifies a task: added tasks run,
// removed tasks do not run, and a changed pending task runs in its new form. While the file is not
// usable, ClaimOne claims tasks of its last usable content. When none of them is left, ClaimOne
// returns the error of the file.
//
// Claims are not synced to disk, because a power cut ends all workers, and a task whose claim is
// lost is pending. Finish and HandBack sync if `durable`. If that sync fails, a repeated call
// succeeds, because the end is recorded. But the end may not survive a power cut.
class FileQueue : public Queue {
 public:
  // Borrows `clock`. Errors name the state file.
  static absl::StatusOr<std::unique_ptr<FileQueue>> Open(const std::string& tasks_path,
                                                         std::vector<FileTask> tasks,
                                                         FileQueueOptions options, Clock& clock);

  absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken& cancel) override;
  absl::Status Finish(const Claim& claim, const Outcome& outcome) override;
  absl::Status HandBack(const Claim& claim, const std::string& reason) override;
  void LeaveUnrecorded(const Claim& claim, const Outcome&) override {
    state_.UnlockTask(claim.task.id);
  }
  // In a tasks file no job can be killed, and a claim stands until its lock is released.
  absl::StatusOr<ClaimState> Check(const Claim&, const CancelToken&) override {
    return ClaimState::kHeld;
  }
  std::vector<RecordedEnd> TakeRecordedEnds() override { return std::exchange(ends_, {}); }
  bool CanReceiveNewTasks() const override { return false; }

  // Claims last until all duplicates of this descriptor are closed. With a duplicate, the launcher
  // keeps the claim of a dead worker until the command has ended.
  int lock_fd() const { return state_.fd(); }

 private:
  FileQueue(TaskTable table, StateLog state, FileQueueOptions options, Clock& clock);
  absl::StatusOr<std::optional<Claim>> TryClaimOne(const CancelToken& cancel);
  absl::StatusOr<StateLog::WriteLock> Lock();
  void UpdateTasks();
  void ReportChanges(const TaskChanges& changes) const;
  // Logs the message unless it is no news. `key` distinguishes equal messages about other events.
  void Report(Severity severity, const std::string& message, const std::string& key = "") const;
  std::vector<size_t> HandedBack() const;
  absl::StatusOr<std::optional<size_t>> LockCandidate();
  absl::StatusOr<bool> TakeOver(size_t position);
  absl::StatusOr<Claim> RecordClaim(size_t position);
  absl::Status RecordFailure(size_t position, const std::string& reason);
  // Appends `change`. Sets its id, time and version.
  absl::Status Record(const std::string& task_id, StateChange change);
  absl::Status EndClaim(const Claim& claim, const StateChange& change);

  TaskTable table_;
  StateLog state_;
  const FileQueueOptions options_;
  Clock& clock_;
  // Task and version of the claim whose end is recorded but not synced.
  std::optional<std::pair<std::string, int64_t>> unsynced_;
  std::vector<RecordedEnd> ends_;
  std::vector<std::string> handed_back_;  // ids that this worker has handed back, oldest first
};

}  // namespace sparkles
