#include "queue/file_queue.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

std::optional<TaskStatus> FinalStatusOf(Outcome::Kind kind) {
  switch (kind) {
    case Outcome::Kind::kComplete:
      return TaskStatus::kComplete;
    case Outcome::Kind::kFailed:
      return TaskStatus::kFailed;
    case Outcome::Kind::kKilled:
      return TaskStatus::kKilled;
    case Outcome::Kind::kHandBack:
    case Outcome::Kind::kClaimLost:
      return std::nullopt;
  }
  return std::nullopt;
}

// The first ids, and the number of the other ones.
std::string NamesOf(const std::vector<std::string>& ids) {
  constexpr size_t kMaxNames = 10;
  const size_t named = std::min(ids.size(), kMaxNames);
  const auto end = ids.begin() + static_cast<std::ptrdiff_t>(named);
  const std::string names = absl::StrJoin(ids.begin(), end, ", ");
  if (named == ids.size()) return names;
  return absl::StrCat(names, " and ", ids.size() - named, " more");
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileQueue>> FileQueue::Open(const std::string& tasks_path,
                                                           std::vector<FileTask> tasks,
                                                           FileQueueOptions options, Clock& clock) {
  TaskTable table(std::move(tasks));
  ASSIGN_OR_RETURN(StateLog state, StateLog::Open(StatePathOf(tasks_path), options.durable, table));
  return std::unique_ptr<FileQueue>(
      new FileQueue(std::move(table), std::move(state), std::move(options), clock));
}

FileQueue::FileQueue(TaskTable table, StateLog state, FileQueueOptions options, Clock& clock)
    : table_(std::move(table)),
      state_(std::move(state)),
      options_(std::move(options)),
      clock_(clock) {}

absl::StatusOr<std::optional<Claim>> FileQueue::ClaimOne(const CancelToken& cancel) {
  absl::StatusOr<std::optional<Claim>> claim = TryClaimOne(cancel);
  if (IsMachineFault(claim.status())) return ClaimNotPersistable(claim.status());
  return claim;
}

absl::StatusOr<std::optional<Claim>> FileQueue::TryClaimOne(const CancelToken& cancel) {
  if (!cancel.cancelled()) UpdateTasks();
  while (!cancel.cancelled()) {
    ASSIGN_OR_RETURN(const StateLog::WriteLock write_lock, Lock());
    ASSIGN_OR_RETURN(const std::optional<size_t> position, LockCandidate());
    if (!position && options_.watch != nullptr && !options_.watch->status().ok()) {
      return options_.watch->status();
    }
    if (!position) break;
    const std::string& problem = table_.task(*position).problem;
    const std::string reason =
        problem.empty() ? ReasonNotToClaim(table_.record(*position).history) : problem;
    if (reason.empty()) return RecordClaim(*position);
    RETURN_IF_ERROR(RecordFailure(*position, reason));
  }
  return std::nullopt;
}

absl::StatusOr<StateLog::WriteLock> FileQueue::Lock() {
  auto write_lock = state_.Lock(table_);
  for (const std::string& damage : state_.TakeDamageReports()) {
    Report(Severity::kWarning, damage);
  }
  return write_lock;
}

void FileQueue::UpdateTasks() {
  std::optional<TasksUpdate> update;
  if (options_.watch != nullptr) update = options_.watch->Poll();
  if (!update) return;
  TaskChanges changes;
  if (update->appended) {
    changes.added = update->tasks.size();
    table_.Append(std::move(update->tasks));
  } else {
    changes = table_.Replace(std::move(update->tasks));
  }
  ReportChanges(changes);
  for (const std::string& problem : update->problems) {
    Report(Severity::kError, absl::StrCat(options_.watch->path(), ": ", problem), problem);
  }
}

void FileQueue::ReportChanges(const TaskChanges& changes) const {
  const std::string& path = options_.watch->path();
  // Tasks can be added several times.
  const std::string size = absl::StrCat(" ", table_.size());
  if (changes.added > 0) {
    const std::string message = absl::StrCat(path, ": ", changes.added, " tasks were added");
    Report(Severity::kInfo, message, message + size);
  }
  if (!changes.changed.empty()) {
    Report(Severity::kWarning,
           absl::StrCat(path, ": tasks were changed: ", NamesOf(changes.changed),
                        "; tasks that were already claimed do not run again"));
  }
  if (!changes.removed.empty()) {
    Report(Severity::kWarning,
           absl::StrCat(path, ": tasks were removed and do not run: ", NamesOf(changes.removed)));
  }
}

void FileQueue::Report(Severity severity, const std::string& message,
                       const std::string& key) const {
  if (options_.log == nullptr || !options_.is_news(key.empty() ? message : key)) return;
  options_.log->sink().Write(severity, "", message);
}

// The positions of the tasks in handed_back_, oldest first.
std::vector<size_t> FileQueue::HandedBack() const {
  std::vector<size_t> positions;
  for (const std::string& id : handed_back_) {
    const std::optional<size_t> position = table_.Find(id);
    if (position) positions.push_back(*position);
  }
  return positions;
}

absl::StatusOr<std::optional<size_t>> FileQueue::LockCandidate() {
  const std::vector<size_t> handed_back = HandedBack();
  for (const size_t position : table_.pending()) {
    const auto last = handed_back.end();
    if (std::find(handed_back.begin(), last, position) != last) continue;
    // A pending task is locked if its worker has handed it back and died, and the launcher has not
    // ended the command yet.
    ASSIGN_OR_RETURN(const bool locked, state_.TryLockTask(table_.task(position).task.id));
    if (locked) return position;
  }
  for (const size_t position : handed_back) {
    if (!table_.pending().contains(position)) continue;
    ASSIGN_OR_RETURN(const bool locked, state_.TryLockTask(table_.task(position).task.id));
    if (locked) return position;
  }
  for (const size_t position : table_.claimed()) {
    ASSIGN_OR_RETURN(const bool locked, TakeOver(position));
    if (locked) return position;
  }
  return std::nullopt;
}

// If the worker of a claimed task is dead, locks the task and makes it pending.
absl::StatusOr<bool> FileQueue::TakeOver(size_t position) {
  const std::string& id = table_.task(position).task.id;
  if (state_.HoldsTask(id)) return false;
  ASSIGN_OR_RETURN(const bool locked, state_.TryLockTask(id));
  if (!locked) return false;
  StateChange reset;
  reset.failure_reason =
      absl::StrCat(kAbandonedPrefix, "its worker (", table_.record(position).owner,
                   ") ended without finishing the task");
  if (absl::Status status = Record(id, std::move(reset)); !status.ok()) {
    state_.UnlockTask(id);
    return status;
  }
  return true;
}

absl::StatusOr<Claim> FileQueue::RecordClaim(size_t position) {
  StateChange change;
  change.status = TaskStatus::kClaimed;
  change.owner = options_.owner;
  const std::string& id = table_.task(position).task.id;
  if (absl::Status status = Record(id, std::move(change)); !status.ok()) {
    state_.UnlockTask(id);
    return status;
  }
  Claim claim;
  claim.task = table_.task(position).task;
  claim.task.history = table_.record(position).history;
  claim.attempt = CountClaims(claim.task.history);
  claim.version = table_.record(position).version;
  return claim;
}

absl::Status FileQueue::RecordFailure(size_t position, const std::string& reason) {
  StateChange change;
  change.status = TaskStatus::kFailed;
  change.owner = options_.owner;
  change.failure_reason = reason;
  const std::string& id = table_.task(position).task.id;
  const absl::Status status = Record(id, std::move(change));
  if (status.ok()) ends_.push_back({id, Outcome::Kind::kFailed, reason});
  state_.UnlockTask(id);
  return status;
}

absl::Status FileQueue::Record(const std::string& task_id, StateChange change) {
  const TaskRecord* record = table_.FindRecord(task_id);
  change.task_id = task_id;
  change.timestamp = clock_.Now();
  change.version = (record == nullptr ? kFirstVersion : record->version) + 1;
  change.failure_reason = CutText(change.failure_reason, kMaxFailureReasonBytes);
  return state_.Append(change, table_);
}

absl::Status FileQueue::Finish(const Claim& claim, const Outcome& outcome) {
  const std::optional<TaskStatus> status = FinalStatusOf(outcome.kind);
  if (!status) {
    return absl::InvalidArgumentError(
        absl::StrCat(claim.task.id, ": the outcome is not the end of a task"));
  }
  StateChange change;
  change.status = *status;
  change.owner = options_.owner;
  change.exit_code = outcome.exit_code;
  change.failure_reason = outcome.failure_reason;
  return EndClaim(claim, change);
}

absl::Status FileQueue::HandBack(const Claim& claim, const std::string& reason) {
  StateChange change;
  change.failure_reason = reason;
  RETURN_IF_ERROR(EndClaim(claim, change));
  std::erase(handed_back_, claim.task.id);
  handed_back_.push_back(claim.task.id);
  return absl::OkStatus();
}

absl::Status FileQueue::EndClaim(const Claim& claim, const StateChange& change) {
  const std::string& id = claim.task.id;
  const bool is_recorded = unsynced_ == std::pair(id, claim.version);
  unsynced_.reset();
  if (!is_recorded) {
    ASSIGN_OR_RETURN(const StateLog::WriteLock write_lock, Lock());
    const TaskRecord* record = table_.FindRecord(id);
    const bool claimed = record != nullptr && record->status == TaskStatus::kClaimed;
    if (!claimed || !state_.HoldsTask(id) || record->version != claim.version) {
      // If the task is claimed, this worker has a later claim of it, which keeps the lock.
      if (!claimed) state_.UnlockTask(id);
      return absl::AbortedError(absl::StrCat(id, ": the claim is lost"));
    }
    RETURN_IF_ERROR(Record(id, change));
    // While the write lock is held, so that other workers see the end only with a free task.
    state_.UnlockTask(id);
  }
  const absl::Status synced = state_.Sync();
  if (!synced.ok()) unsynced_ = {id, claim.version};
  return synced;
}

}  // namespace sparkles
