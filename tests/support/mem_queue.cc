#include "tests/support/mem_queue.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

// Takes the first of the prepared errors; ok if there is none.
absl::Status TakeError(std::vector<absl::Status>& errors) {
  if (errors.empty()) return absl::OkStatus();
  const absl::Status error = errors.front();
  errors.erase(errors.begin());
  return error;
}

absl::Status ClaimLost(const Claim& claim) {
  return absl::AbortedError(absl::StrCat(claim.task.id, ": the claim is lost"));
}

}  // namespace

MemTasks::MemTasks(const std::vector<Task>& tasks, Clock& clock) : clock_(clock) {
  for (const Task& task : tasks) {
    Entry entry;
    entry.task = task;
    entries_.push_back(entry);
  }
}

MemTasks::Entry MemTasks::Find(const std::string& task_id) const {
  MutexLock lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.task.id == task_id) return entry;
  }
  abort();
}

void MemTasks::Reset(const std::string& task_id) {
  MutexLock lock(mutex_);
  for (Entry& entry : entries_) {
    if (entry.task.id == task_id) Change(entry, TaskStatus::kPending, "", "");
  }
}

void MemTasks::Change(Entry& entry, TaskStatus status, const std::string& owner,
                      const std::string& reason) {
  const bool reset = status == TaskStatus::kPending;
  entry.status = status;
  entry.owner = owner;
  entry.failure_reason = reason;
  ++entry.version;
  entry.history.push_back(
      {clock_.Now(), std::string(reset ? kResetEntry : WireName(status)), owner, reason});
}

absl::StatusOr<std::optional<Claim>> MemQueue::ClaimOne(const CancelToken& cancel) {
  if (absl::Status error = TakeError(claim_errors); !error.ok()) return error;
  if (cancel.cancelled()) return std::nullopt;
  MutexLock lock(tasks_.mutex_);
  for (MemTasks::Entry& entry : tasks_.entries_) {
    if (entry.status != TaskStatus::kPending) continue;
    if (const std::string objection = ObjectionTo(entry.history); !objection.empty()) {
      tasks_.Change(entry, TaskStatus::kFailed, owner_, objection);
      continue;
    }
    tasks_.Change(entry, TaskStatus::kClaimed, owner_, "");
    Claim claim;
    claim.task = entry.task;
    claim.attempt = CountClaims(entry.history);
    claim.version = entry.version;
    return claim;
  }
  return std::nullopt;
}

MemTasks::Entry* MemQueue::FindClaimed(const Claim& claim) {
  for (MemTasks::Entry& entry : tasks_.entries_) {
    if (entry.task.id == claim.task.id && entry.status == TaskStatus::kClaimed &&
        entry.owner == owner_ && entry.version == claim.version) {
      return &entry;
    }
  }
  return nullptr;
}

absl::StatusOr<ClaimState> MemQueue::Check(const Claim& claim, const CancelToken&) {
  MutexLock lock(tasks_.mutex_);
  if (FindClaimed(claim) != nullptr) return ClaimState::kOurs;
  for (const MemTasks::Entry& entry : tasks_.entries_) {
    if (entry.task.id == claim.task.id && entry.status == TaskStatus::kKilled) {
      return ClaimState::kKilled;
    }
  }
  return ClaimState::kLost;
}

absl::Status MemQueue::Finish(const Claim& claim, const Outcome& outcome) {
  if (absl::Status error = TakeError(finish_errors); !error.ok()) return error;
  TaskStatus status = TaskStatus::kComplete;
  if (outcome.kind == Outcome::Kind::kFailed) status = TaskStatus::kFailed;
  if (outcome.kind == Outcome::Kind::kKilled) status = TaskStatus::kKilled;
  if (status == TaskStatus::kComplete && outcome.kind != Outcome::Kind::kComplete) {
    return absl::InvalidArgumentError(
        absl::StrCat(claim.task.id, ": this outcome does not end a task"));
  }
  MutexLock lock(tasks_.mutex_);
  MemTasks::Entry* entry = FindClaimed(claim);
  if (entry == nullptr) return ClaimLost(claim);
  tasks_.Change(*entry, status, owner_, outcome.failure_reason);
  entry->exit_code = outcome.exit_code;
  return absl::OkStatus();
}

absl::Status MemQueue::HandBack(const Claim& claim, const std::string& reason) {
  if (absl::Status error = TakeError(hand_back_errors); !error.ok()) return error;
  MutexLock lock(tasks_.mutex_);
  MemTasks::Entry* entry = FindClaimed(claim);
  if (entry == nullptr) return ClaimLost(claim);
  tasks_.Change(*entry, TaskStatus::kPending, "", reason);
  return absl::OkStatus();
}

}  // namespace sparkles
