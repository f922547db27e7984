#include "queue/claim_ender.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sparkles {
namespace {

// After this time a call does not try again. The caller knows how much time is left and repeats the
// call.
constexpr absl::Duration kMaxTime = absl::Seconds(3);

// The status in the history for this end. Empty if the outcome is not an end.
absl::string_view HistoryStatusOf(Outcome::Kind kind) {
  switch (kind) {
    case Outcome::Kind::kComplete:
      return WireName(TaskStatus::kComplete);
    case Outcome::Kind::kFailed:
      return WireName(TaskStatus::kFailed);
    case Outcome::Kind::kKilled:
      return WireName(TaskStatus::kKilled);
    case Outcome::Kind::kHandBack:
      return kResetEntry;
    case Outcome::Kind::kClaimLost:
      break;
  }
  return "";
}

void Apply(const Outcome& outcome, absl::Time now, TaskEntity& task) {
  switch (outcome.kind) {
    case Outcome::Kind::kComplete:
      return task.Complete(outcome.exit_code, now);
    case Outcome::Kind::kFailed:
      return task.Fail(outcome.failure_reason, now);
    case Outcome::Kind::kKilled:
      return task.Kill(outcome.failure_reason, now);
    case Outcome::Kind::kHandBack:
      return task.HandBack(outcome.failure_reason, now);
    case Outcome::Kind::kClaimLost:
      return;
  }
}

// The reason in the history of a pending task that gets a new version in Revoke.
constexpr char kWithdrawnReason[] = "abandoned: a worker ended before its claim was made";

absl::Status ClaimLostError(const std::string& id, absl::string_view why) {
  return absl::AbortedError(absl::StrCat(id, ": ", why));
}

}  // namespace

absl::Status ClaimEnder::End(const ClaimFence& fence, const Outcome& outcome,
                             std::optional<VersionedTask> held) {
  return Write(fence, outcome, /*revoke=*/false, std::move(held));
}

absl::Status ClaimEnder::Revoke(const ClaimFence& fence, const std::string& reason) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kHandBack;
  outcome.failure_reason = reason;
  return Write(fence, outcome, /*revoke=*/true, std::nullopt);
}

ClaimEnder::Relation ClaimEnder::Compare(const ClaimFence& fence, absl::string_view end_status,
                                         absl::Time end_time, const TaskEntity& task) const {
  if (unknown_ && task.HasEntryAfter(fence.owner, fence.claimed_at, end_status, end_time)) {
    return Relation::kEnded;
  }
  if (task.IsClaimOf(fence.owner, fence.version, fence.claimed_at)) return Relation::kClaimed;
  const bool replaceable =
      task.MayBePendingIn(fence.cluster) && task.version() + 1 == fence.version;
  return replaceable ? Relation::kReplaceable : Relation::kOther;
}

absl::StatusOr<ClaimEnder::Target> ClaimEnder::LookUp(const ClaimFence& fence,
                                                      absl::string_view end_status,
                                                      absl::Time end_time) const {
  const CancelToken never;
  const std::string& id = fence.task_id;
  ASSIGN_OR_RETURN(LookupResult read, context_.client.Lookup({{kTaskKind, id}}, never));
  if (!read[0]) return Target{Relation::kOther, std::nullopt};
  VersionedTask task{TaskEntity(id, std::move(read[0]->entity)), read[0]->version};
  const Relation relation = Compare(fence, end_status, end_time, task.task);
  return Target{relation, std::move(task)};
}

absl::Status ClaimEnder::Write(const ClaimFence& fence, const Outcome& outcome, bool revoke,
                               std::optional<VersionedTask> held) {
  const std::string& id = fence.task_id;
  const absl::string_view status = HistoryStatusOf(outcome.kind);
  if (status.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(id, ": the outcome is not the end of a claim"));
  }
  if (unknown_ && (unknown_->task_id != id || unknown_->claimed_at != fence.claimed_at)) {
    unknown_.reset();  // the end of another claim, which the caller does not repeat
  }
  if (unknown_) held.reset();
  const absl::Time started = context_.clock.Now();
  const absl::Time now = unknown_ ? unknown_->timestamp : StampOf(started);
  for (int tries = 0; tries < kQueueTries; ++tries) {
    WaitBeforeTry(tries, context_.clock);
    const bool is_remembered = held.has_value();
    Target target{Relation::kClaimed, std::exchange(held, std::nullopt)};
    if (!is_remembered) {
      ASSIGN_OR_RETURN(target, LookUp(fence, status, now));
    }
    const Relation relation = target.relation;
    if (relation == Relation::kEnded) return Resolved(absl::OkStatus());
    if (relation == Relation::kOther || (relation == Relation::kReplaceable && !revoke)) {
      return Resolved(
          ClaimLostError(id, target.task ? "another client or worker changed it" : "deleted"));
    }
    if (relation == Relation::kReplaceable) {
      target.task->task.HandBack(kWithdrawnReason, now);
    } else {
      Apply(outcome, now, target.task->task);
    }
    const auto version =
        context_.client.Update(target.task->task.entity(), target.task->stored_version);
    if (version.ok() && *version) {
      return Resolved(relation == Relation::kClaimed ? absl::OkStatus()
                                                     : ClaimLostError(id, "it was not claimed"));
    }
    const bool is_refused =
        absl::IsInvalidArgument(version.status()) || absl::IsNotFound(version.status());
    // The remembered version may be outdated, so a lookup must confirm the refusal.
    if (is_refused && is_remembered) continue;
    if (absl::IsNotFound(version.status())) return Resolved(ClaimLostError(id, "deleted"));
    if (relation == Relation::kClaimed) unknown_ = {id, fence.claimed_at, now};
    RETURN_IF_ERROR(version.status());
    if (context_.clock.Now() - started > kMaxTime) break;
  }
  return absl::UnavailableError(absl::StrCat(id, ": it is not known whether the end is recorded"));
}

absl::Status ClaimEnder::Resolved(absl::Status status) {
  unknown_.reset();
  return status;
}

}  // namespace sparkles
