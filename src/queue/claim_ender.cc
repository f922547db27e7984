#include "queue/claim_ender.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sparkles {
namespace {

// A call that has taken longer repeats nothing: a worker that must stop has no time for that, and
// the caller knows how much time there is.
constexpr absl::Duration kMaxTime = absl::Seconds(3);

// What stands in the history for such an end; empty: it is no end.
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
                             std::optional<HeldTask> held) {
  return Write(fence, outcome, /*revoke=*/false, std::move(held));
}

absl::Status ClaimEnder::Revoke(const ClaimFence& fence, const std::string& reason) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kHandBack;
  outcome.failure_reason = reason;
  return Write(fence, outcome, /*revoke=*/true, std::nullopt);
}

ClaimEnder::Found ClaimEnder::Judge(const ClaimFence& fence, absl::string_view status,
                                    absl::Time timestamp, const TaskEntity& task) const {
  if (unknown_ && task.HasEntryAfter(fence.owner, fence.claimed_at, status, timestamp)) {
    return Found::kEnded;
  }
  if (task.IsClaimOf(fence.owner, fence.version, fence.claimed_at)) return Found::kOurs;
  // The version that the claim's commit replaces; others it does not replace.
  const bool replaceable =
      task.MayBePendingIn(fence.cluster) && task.version() + 1 == fence.version;
  return replaceable ? Found::kPending : Found::kOther;
}

absl::Status ClaimEnder::Write(const ClaimFence& fence, const Outcome& outcome, bool revoke,
                               std::optional<HeldTask> held) {
  const CancelToken never;
  const std::string& id = fence.task_id;
  const absl::string_view status = HistoryStatusOf(outcome.kind);
  if (status.empty()) return absl::InvalidArgumentError(absl::StrCat(id, ": this is no end"));
  if (unknown_ && (unknown_->task_id != id || unknown_->claimed_at != fence.claimed_at)) {
    unknown_.reset();  // of a claim that was given up
  }
  if (unknown_) held.reset();
  const absl::Time started = context_.clock.Now();
  const absl::Time now = unknown_ ? unknown_->timestamp : StampOf(started);
  for (int tries = 0; tries < kQueueTries; ++tries) {
    WaitBeforeTry(tries, context_.clock);
    const bool remembered = held.has_value();
    Found found = Found::kOurs;
    if (!held) {
      ASSIGN_OR_RETURN(LookupResult read, context_.client.Lookup({{kTaskKind, id}}, never));
      std::optional<StoredEntity>& stored = read[0];
      found = Found::kOther;
      if (stored) {
        held.emplace(HeldTask{TaskEntity(id, std::move(stored->entity)), stored->version});
        found = Judge(fence, status, now, held->task);
      }
      if (found == Found::kEnded) return unknown_.reset(), absl::OkStatus();
      if (found == Found::kOther || (found == Found::kPending && !revoke)) {
        unknown_.reset();
        return Lost(id, stored ? "another client or worker changed it" : "deleted");
      }
    }
    Apply(outcome, now, held->task);
    const auto version = context_.client.Update(held->task.entity(), held->stored_version);
    held.reset();
    // A lookup decides whether the task is gone, or only the remembered version is wrong.
    const bool refused =
        absl::IsInvalidArgument(version.status()) || absl::IsNotFound(version.status());
    if (refused && remembered) continue;
    if (absl::IsNotFound(version.status())) return unknown_.reset(), Lost(id, "deleted");
    if (version.ok() && *version) {
      unknown_.reset();
      return found == Found::kOurs ? absl::OkStatus() : Lost(id, "it was not claimed");
    }
    if (found == Found::kOurs) unknown_ = {id, fence.claimed_at, now};
    RETURN_IF_ERROR(version.status());
    if (context_.clock.Now() - started > kMaxTime) break;
  }
  return absl::UnavailableError(absl::StrCat(id, ": its end could not be written yet"));
}

}  // namespace sparkles
