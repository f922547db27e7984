#include "queue/file_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
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

}  // namespace

absl::StatusOr<std::unique_ptr<FileQueue>> FileQueue::Open(const std::string& tasks_path,
                                                           std::vector<FileTask> tasks,
                                                           std::string owner, bool durable,
                                                           Clock& clock) {
  TaskTable table(std::move(tasks));
  ASSIGN_OR_RETURN(StateLog log, StateLog::Open(StatePathOf(tasks_path), durable, table));
  return std::unique_ptr<FileQueue>(
      new FileQueue(std::move(table), std::move(log), std::move(owner), clock));
}

FileQueue::FileQueue(TaskTable table, StateLog log, std::string owner, Clock& clock)
    : table_(std::move(table)), log_(std::move(log)), owner_(std::move(owner)), clock_(clock) {}

absl::StatusOr<std::optional<Claim>> FileQueue::ClaimOne(const CancelToken& cancel) {
  absl::StatusOr<std::optional<Claim>> claim = TryClaimOne(cancel);
  if (IsMachineFault(claim.status())) return CannotWriteDown(claim.status());
  return claim;
}

absl::StatusOr<std::optional<Claim>> FileQueue::TryClaimOne(const CancelToken& cancel) {
  while (!cancel.cancelled()) {
    ASSIGN_OR_RETURN(const StateLog::AppendRight right, log_.Lock(table_));
    ASSIGN_OR_RETURN(const std::optional<size_t> position, LockCandidate());
    if (!position) break;
    const std::string& problem = table_.task(*position).problem;
    const std::string objection =
        problem.empty() ? ObjectionTo(table_.record(*position).history) : problem;
    if (objection.empty()) return RecordClaim(*position);
    RETURN_IF_ERROR(RecordFailure(*position, objection));
  }
  return std::nullopt;
}

absl::StatusOr<std::optional<size_t>> FileQueue::LockCandidate() {
  for (const size_t position : table_.pending()) {
    const auto last = handed_back_.end();
    if (std::find(handed_back_.begin(), last, position) != last) continue;
    // Pending and yet locked: its worker died after handing it back, its command not quite yet.
    ASSIGN_OR_RETURN(const bool ours, log_.TryLockTask(table_.task(position).task.id));
    if (ours) return position;
  }
  for (const size_t position : handed_back_) {
    if (!table_.pending().contains(position)) continue;
    ASSIGN_OR_RETURN(const bool ours, log_.TryLockTask(table_.task(position).task.id));
    if (ours) return position;
  }
  for (const size_t position : table_.claimed()) {
    ASSIGN_OR_RETURN(const bool ours, TakeOver(position));
    if (ours) return position;
  }
  return std::nullopt;
}

// Makes a claimed task pending and ours, if its worker is dead.
absl::StatusOr<bool> FileQueue::TakeOver(size_t position) {
  const std::string& id = table_.task(position).task.id;
  if (log_.HoldsTask(id)) return false;
  ASSIGN_OR_RETURN(const bool ours, log_.TryLockTask(id));
  if (!ours) return false;
  StateChange reset;
  reset.failure_reason =
      absl::StrCat(kAbandonedPrefix, "its worker (", table_.record(position).owner,
                   ") ended without finishing it");
  if (absl::Status status = Record(position, std::move(reset)); !status.ok()) {
    log_.UnlockTask(id);
    return status;
  }
  return true;
}

absl::StatusOr<Claim> FileQueue::RecordClaim(size_t position) {
  StateChange change;
  change.status = TaskStatus::kClaimed;
  change.owner = owner_;
  if (absl::Status status = Record(position, std::move(change)); !status.ok()) {
    log_.UnlockTask(table_.task(position).task.id);
    return status;
  }
  Claim claim;
  claim.task = table_.task(position).task;
  claim.attempt = CountClaims(table_.record(position).history);
  claim.version = table_.record(position).version;
  return claim;
}

absl::Status FileQueue::RecordFailure(size_t position, const std::string& reason) {
  StateChange change;
  change.status = TaskStatus::kFailed;
  change.owner = owner_;
  change.failure_reason = reason;
  const absl::Status status = Record(position, std::move(change));
  const std::string& id = table_.task(position).task.id;
  if (status.ok()) ends_.push_back({id, Outcome::Kind::kFailed, reason});
  log_.UnlockTask(id);
  return status;
}

absl::Status FileQueue::Record(size_t position, StateChange change) {
  change.task_id = table_.task(position).task.id;
  change.timestamp = clock_.Now();
  change.version = table_.record(position).version + 1;
  change.failure_reason = CutText(change.failure_reason, kMaxFailureReasonBytes);
  return log_.Append(change, table_);
}

absl::Status FileQueue::Finish(const Claim& claim, const Outcome& outcome) {
  const std::optional<TaskStatus> status = FinalStatusOf(outcome.kind);
  if (!status) {
    return absl::InvalidArgumentError(absl::StrCat(claim.task.id, ": this outcome is no end"));
  }
  StateChange change;
  change.status = *status;
  change.owner = owner_;
  change.exit_code = outcome.exit_code;
  change.failure_reason = outcome.failure_reason;
  return EndClaim(claim, change);
}

absl::Status FileQueue::HandBack(const Claim& claim, const std::string& reason) {
  StateChange change;
  change.failure_reason = reason;
  RETURN_IF_ERROR(EndClaim(claim, change));
  if (const std::optional<size_t> position = table_.Find(claim.task.id)) {
    std::erase(handed_back_, *position);
    handed_back_.push_back(*position);
  }
  return absl::OkStatus();
}

absl::Status FileQueue::EndClaim(const Claim& claim, const StateChange& change) {
  const std::string& id = claim.task.id;
  const bool is_recorded = unsynced_ == std::pair(id, claim.version);
  unsynced_.reset();
  if (!is_recorded) {
    ASSIGN_OR_RETURN(const StateLog::AppendRight right, log_.Lock(table_));
    const std::optional<size_t> position = table_.Find(id);
    const bool claimed = position && table_.record(*position).status == TaskStatus::kClaimed;
    if (!claimed || !log_.HoldsTask(id) || table_.record(*position).version != claim.version) {
      // If it is claimed under our lock after all, it is a later claim of ours that lives on.
      if (!claimed) log_.UnlockTask(id);
      return absl::AbortedError(absl::StrCat(id, ": the claim is no longer ours"));
    }
    RETURN_IF_ERROR(Record(*position, change));
    // Before others may look: who sees the end must be able to claim again.
    log_.UnlockTask(id);
  }
  const absl::Status synced = log_.Sync();
  if (!synced.ok()) unsynced_ = {id, claim.version};
  return synced;
}

}  // namespace sparkles
