#include "queue/claim_ender.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sparkles {
namespace {

// A call repeats nothing after this time: the caller knows how much time is left, and repeats it.
constexpr absl::Duration kMaxTime = absl::Seconds(3);

// The status in the history for such an end; empty: the outcome is no end.
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

absl::Status Lost(const std::string& id, absl::string_view why) {
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

absl::Status ClaimEnder::Write(const ClaimFence& fence, const Outcome& outcome, bool revoke,
                               std::optional<VersionedTask> held) {
  const CancelToken never;
  const std::string& id = fence.task_id;
  const absl::string_view status = HistoryStatusOf(outcome.kind);
  if (status.empty()) return absl::InvalidArgumentError(absl::StrCat(id, ": this is no end"));
  if (unknown_ && (unknown_->task_id != id || unknown_->claimed_at != fence.claimed_at)) {
    unknown_.reset();  // the end of a claim that was given up
  }
  if (unknown_) held.reset();
  const absl::Time started = context_.clock.Now();
  const absl::Time now = unknown_ ? unknown_->timestamp : StampOf(started);
  for (int tries = 0; tries < kQueueTries; ++tries) {
    WaitBeforeTry(tries, context_.clock);
    const bool looked_up = !held;
    Relation relation = Relation::kClaimed;
    if (looked_up) {
      ASSIGN_OR_RETURN(LookupResult read, context_.client.Lookup({{kTaskKind, id}}, never));
      std::optional<StoredEntity>& stored = read[0];
      relation = Relation::kOther;
      if (stored) {
        held.emplace(VersionedTask{TaskEntity(id, std::move(stored->entity)), stored->version});
        relation = Compare(fence, status, now, held->task);
      }
      if (relation == Relation::kEnded) return unknown_.reset(), absl::OkStatus();
      if (relation == Relation::kOther || (relation == Relation::kReplaceable && !revoke)) {
        unknown_.reset();
        return Lost(id, stored ? "another client or worker changed it" : "deleted");
      }
    }
    Apply(outcome, now, held->task);
    const auto version = context_.client.Update(held->task.entity(), held->stored_version);
    held.reset();
    // The version that `held` remembers may be wrong. A lookup tells.
    const bool refused =
        absl::IsInvalidArgument(version.status()) || absl::IsNotFound(version.status());
    if (refused && !looked_up) continue;
    if (absl::IsNotFound(version.status())) return unknown_.reset(), Lost(id, "deleted");
    if (version.ok() && *version) {
      unknown_.reset();
      return relation == Relation::kClaimed ? absl::OkStatus() : Lost(id, "it was not claimed");
    }
    if (relation == Relation::kClaimed) unknown_ = {id, fence.claimed_at, now};
    RETURN_IF_ERROR(version.status());
    if (context_.clock.Now() - started > kMaxTime) break;
  }
  return absl::UnavailableError(absl::StrCat(id, ": it is not known whether its end was recorded"));
}

}  // namespace sparkles
