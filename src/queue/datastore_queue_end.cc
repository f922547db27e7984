// How claims end in Datastore: our own, those whose end was given up, those of dead workers.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "queue/datastore_queue.h"

namespace sparkles {
namespace {

// An end that took longer is not repeated here: a worker that is to stop has no time for it.
constexpr absl::Duration kPromptly = absl::Seconds(3);

// A hand-back that the server calls invalid may only be so for a confused server or proxy; as long
// as our own ends (worker/consumer).
constexpr absl::Duration kRefused = absl::Minutes(5);

}  // namespace

absl::Status DatastoreQueue::Finish(const Claim& claim, const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::kComplete:
      return EndOwn(claim, WireName(TaskStatus::kComplete), [&](TaskEntity& task, absl::Time now) {
        task.Complete(outcome.exit_code, now);
      });
    case Outcome::Kind::kFailed:
      return EndOwn(claim, WireName(TaskStatus::kFailed), [&](TaskEntity& task, absl::Time now) {
        task.Fail(outcome.failure_reason, now);
      });
    case Outcome::Kind::kKilled:
      return EndOwn(claim, WireName(TaskStatus::kKilled), [&](TaskEntity& task, absl::Time now) {
        task.Kill(outcome.failure_reason, now);
      });
    case Outcome::Kind::kHandBack:
    case Outcome::Kind::kClaimLost:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat(claim.task.id, ": this outcome is no end"));
}

absl::Status DatastoreQueue::HandBack(const Claim& claim, const std::string& reason) {
  return EndOwn(claim, kResetEntry,
                [&](TaskEntity& task, absl::Time now) { task.HandBack(reason, now); });
}

absl::Status DatastoreQueue::EndOwn(
    const Claim& claim, absl::string_view entry,
    absl::FunctionRef<void(TaskEntity& task, absl::Time now)> change) {
  absl::Status status = EndClaim(options_.owner, claim, entry, change);
  const bool over = status.ok() || absl::IsAborted(status);
  if (over && journal_ != nullptr) {
    journal_->End(EntryOf(claim.task.id, claim.version, claim.claimed_at));
  }
  return status;
}

absl::Status DatastoreQueue::EndClaim(
    const std::string& owner, const Claim& claim, absl::string_view entry,
    absl::FunctionRef<void(TaskEntity& task, absl::Time now)> change) {
  const CancelToken never;
  const std::string& id = claim.task.id;
  if (unsettled_end_ &&
      (unsettled_end_->task_id != id || unsettled_end_->claimed_at != claim.claimed_at)) {
    unsettled_end_.reset();  // of a claim that was given up
  }
  const absl::Time started = clock_.Now();
  const absl::Time now = unsettled_end_ ? unsettled_end_->timestamp : StampOf(clock_.Now());
  for (int tries = 0; tries < kTransactionTries; ++tries) {
    if (tries > 0) WaitBeforeRepeat(tries);
    absl::StatusOr<LookupResult> read = client_.LookupInTransaction({{kTaskKind, id}}, never);
    if (absl::IsAborted(read.status())) continue;  // contention
    RETURN_IF_ERROR(read.status());
    std::optional<TaskEntity> task;
    if (read->entities[0]) task.emplace(id, *std::move(read->entities[0]));
    const bool ended =
        task && unsettled_end_ && task->HasEntryAfter(owner, claim.claimed_at, entry, now);
    if (ended || !task || !task->IsClaimOf(owner, claim.version, claim.claimed_at)) {
      (void)client_.Rollback(read->transaction);
      unsettled_end_.reset();
      if (ended) return absl::OkStatus();
      return absl::AbortedError(
          absl::StrCat(id, task ? ": somebody else changed it" : ": deleted"));
    }
    change(*task, now);
    const absl::StatusOr<CommitEnd> end = client_.Commit(read->transaction, task->entity());
    if (end.ok() && *end == CommitEnd::kApplied) {
      unsettled_end_.reset();
      return absl::OkStatus();
    }
    if (!end.ok() || *end == CommitEnd::kUnknown) {
      unsettled_end_ = {id, claim.claimed_at, now};
      RETURN_IF_ERROR(end.status());
      if (clock_.Now() - started > kPromptly) break;  // the caller knows whether there is more time
    }
  }
  return absl::UnavailableError(absl::StrCat(id, ": its end could not be written yet"));
}

void DatastoreQueue::GiveUp(const Claim& claim, const Outcome& outcome) {
  given_up_.emplace_back(claim, outcome);
  given_up_.back().second.folder.reset();
}

absl::Status DatastoreQueue::EndGivenUp() {
  absl::Status trouble;
  std::erase_if(given_up_, [&](const std::pair<Claim, Outcome>& given_up) {
    const auto& [claim, outcome] = given_up;
    Outcome::Kind kind = outcome.kind;
    std::string reason = outcome.failure_reason;
    absl::Status status = kind == Outcome::Kind::kHandBack ? HandBack(claim, outcome.failure_reason)
                                                           : Finish(claim, outcome);
    if (absl::IsInvalidArgument(status)) {
      kind = Outcome::Kind::kHandBack;
      reason = absl::StrCat(kAbandonedPrefix, "its end is refused: ", status.message());
      status = HandBack(claim, reason);
    }
    if (status.ok()) ends_.push_back({claim.task.id, kind, reason});
    if (status.ok() || absl::IsAborted(status)) return true;
    log_.WithTask(claim.task.id).Debug("its end cannot be recorded yet: ", status.message());
    // What is refused for good must not keep an idle worker from ending.
    if (!absl::IsInvalidArgument(status)) trouble.Update(status);
    return false;
  });
  return trouble;
}

void DatastoreQueue::HandBackAbandoned() {
  looked_for_abandoned_ = true;
  if (journal_ == nullptr) return;
  journal_->ForEachAbandoned([this](const JournalEntry& entry) {
    if (entry.project != options_.project) return false;
    if (options_.before_hand_back) options_.before_hand_back();
    if (!SettleAbandoned(entry)) return false;
    first_seen_.erase({entry.task_id, entry.claimed_at});
    first_refused_.erase({entry.task_id, entry.claimed_at});
    return true;
  });
}

bool DatastoreQueue::SettleAbandoned(const JournalEntry& entry) {
  Claim claim;
  claim.task.id = entry.task_id;
  claim.version = entry.version;
  claim.claimed_at = entry.claimed_at;
  const std::string memory = options_.memory_since ? options_.memory_since(entry.memory_mark) : "";
  const std::string reason = absl::StrCat(kAbandonedPrefix, "its worker ended without finishing it",
                                          memory.empty() ? "" : "; ", memory);
  const absl::Status status =
      EndClaim(entry.owner, claim, kResetEntry,
               [&](TaskEntity& task, absl::Time now) { task.HandBack(reason, now); });
  const Log log = log_.WithTask(entry.task_id);
  if (status.ok()) {
    log.Warning("handed back: a worker of this machine had claimed it and is dead",
                memory.empty() ? "" : "; ", memory);
  } else if (absl::IsAborted(status) && MayStillLand(entry)) {
    return false;  // looked at again when there is time
  } else if (absl::IsInvalidArgument(status) &&
             clock_.Now() >= FirstTime(first_refused_, entry) + kRefused) {
    log.Error("stays claimed by a dead worker, as its hand-back is refused: ", status.message());
  } else if (!absl::IsAborted(status)) {
    log.Warning("cannot look after what a dead worker claimed: ", status.message());
    return false;
  }
  return true;
}

absl::Time DatastoreQueue::FirstTime(Times& times, const JournalEntry& entry) {
  const absl::Time now = clock_.Now();
  absl::Time& seen = times.try_emplace({entry.task_id, entry.claimed_at}, now).first->second;
  seen = std::min(seen, now);  // it was set back
  return seen;
}

// Whether the commit of a claim that is not there may be on its way still. The writer's clock may
// have been wrong, or ours: what we saw long ago cannot come any more either.
bool DatastoreQueue::MayStillLand(const JournalEntry& entry) {
  const absl::Time seen = FirstTime(first_seen_, entry);
  if (clock_.Now() >= std::min(seen, entry.sent_at) + kLongestTransaction) return false;
  const absl::StatusOr<LookupResult> read =
      client_.Lookup({{kTaskKind, entry.task_id}}, CancelToken());
  if (!read.ok()) return true;
  // Of a task that somebody has changed since then no older version is ever committed.
  return read->entities[0] &&
         TaskEntity(entry.task_id, *read->entities[0]).version() < entry.version;
}

}  // namespace sparkles
