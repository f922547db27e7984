// The queue of local mode: tasks from a file, their state in FILE.state beside it. Any number of
// workers may share one file; see state_log.h for how they keep out of each other's way.
#pragma once

#include <cstdint>
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

// Tasks are claimed in the file's order; the one that this worker handed back last comes last. A
// claim ends with its worker: if that vanishes, others take the task once nothing else is pending.
//
// ClaimOne checks the tasks file for changes first. Tasks are known by their ids: added tasks are
// run, removed tasks are not, and a changed pending task runs in its new form. While the file
// cannot be used, ClaimOne claims tasks of its last good content; when none of them is left, it
// returns the error of the file.
//
// A claim is not synced to disk, since a power cut ends all workers anyway and a lost claim is just
// a pending task. Finish and HandBack are, if `durable`. After an error of that sync a repeated
// call succeeds, since the end is recorded; it may not survive a power cut all the same.
struct FileQueueOptions {
  std::string owner;  // of claims, for the state file; need not be unique
  bool durable = true;
  TasksFileWatch* watch = nullptr;  // borrowed; null: the list of tasks is fixed
  const Log* log = nullptr;         // borrowed; for changed and damaged files; may be null
};

class FileQueue : public Queue {
 public:
  // Borrows `clock`. Errors name the state file.
  static absl::StatusOr<std::unique_ptr<FileQueue>> Open(const std::string& tasks_path,
                                                         std::vector<FileTask> tasks,
                                                         FileQueueOptions options, Clock& clock);

  absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken& cancel) override;
  absl::Status Finish(const Claim& claim, const Outcome& outcome) override;
  absl::Status HandBack(const Claim& claim, const std::string& reason) override;
  void GiveUp(const Claim& claim, const Outcome&) override { state_.UnlockTask(claim.task.id); }
  // A file knows no kills, and a claim is ours as long as its lock is.
  absl::StatusOr<ClaimState> Check(const Claim&, const CancelToken&) override {
    return ClaimState::kOurs;
  }
  std::vector<RecordedEnd> TakeEnds() override { return std::exchange(ends_, {}); }
  bool MoreMayCome() const override { return false; }

  // Claims last as long as any duplicate of this descriptor is open: with it, a process that
  // outlives the worker can keep a claim until the task's command is dead.
  int lock_fd() const { return state_.fd(); }

 private:
  FileQueue(TaskTable table, StateLog state, FileQueueOptions options, Clock& clock);
  absl::StatusOr<std::optional<Claim>> TryClaimOne(const CancelToken& cancel);
  absl::StatusOr<StateLog::AppendRight> Lock();
  void LookAtTasksFile();
  void Report(const TaskChanges& changes) const;
  std::vector<size_t> HandedBack() const;
  absl::StatusOr<std::optional<size_t>> LockCandidate();
  absl::StatusOr<bool> TakeOver(size_t position);
  absl::StatusOr<Claim> RecordClaim(size_t position);
  absl::Status RecordFailure(size_t position, const std::string& reason);
  // `change` says what is new; the rest is filled in.
  absl::Status Record(const std::string& task_id, StateChange change);
  absl::Status EndClaim(const Claim& claim, const StateChange& change);

  TaskTable table_;
  StateLog state_;
  const FileQueueOptions options_;
  Clock& clock_;
  // Task and version of the claim whose end is recorded, but may not survive a power cut.
  std::optional<std::pair<std::string, int64_t>> unsynced_;
  std::vector<RecordedEnd> ends_;
  std::vector<std::string> handed_back_;  // by this worker, oldest first: claimed after all others
};

}  // namespace sparkles
