#include "queue/task_claimer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sparkles {
namespace {

using Kind = ClaimResult::Kind;

ClaimResult Unusable(const absl::Status& status) {
  return {.kind = Kind::kUnusable, .reason = std::string(status.message())};
}

// The end to record instead of a claim, or nullopt if the task may be claimed.
std::optional<RecordedEnd> EndInsteadOfClaim(const TaskEntity& task, bool job_killed) {
  std::string reason = task.Problem();
  if (reason.empty() && job_killed) {
    return RecordedEnd{task.id(), Outcome::Kind::kKilled, "the job was killed"};
  }
  if (reason.empty()) reason = ReasonNotToClaim(task.History());
  if (reason.empty()) return std::nullopt;
  return RecordedEnd{task.id(), Outcome::Kind::kFailed, reason};
}

}  // namespace

absl::StatusOr<ClaimResult> TaskClaimer::TryUntilKnown(const std::string& id,
                                                       std::optional<VersionedTask> read,
                                                       const CancelToken& cancel) {
  for (int tries = 0; tries < kQueueTries; ++tries) {
    WaitBeforeTry(tries, context_.clock);
    const bool sent = unknown_ && unknown_->sent;
    absl::StatusOr<std::optional<ClaimResult>> result =
        read ? TryCommit(*std::exchange(read, std::nullopt), /*job_killed=*/false)
             : TryOnce(id, cancel);
    if (absl::IsInvalidArgument(result.status()) && unknown_ &&
        refusals_.Add(id, unknown_->entry.claimed_at, context_.clock.Now())) {
      refusals_.Forget(id, unknown_->entry.claimed_at);
      unknown_.reset();  // the journal keeps the entry for the next worker
      return Unusable(result.status());
    }
    if (!result.ok()) return result.status();
    if (!*result) continue;
    (*result)->sent = sent;
    return **std::move(result);
  }
  return absl::UnavailableError(absl::StrCat(id, ": the claim may have been made"));
}

absl::StatusOr<std::optional<ClaimResult>> TaskClaimer::TryOnce(const std::string& id,
                                                                const CancelToken& cancel) {
  absl::StatusOr<LookupResult> read =
      context_.client.Lookup({{kTaskKind, id}, {kJobKind, JobIdOf(id)}}, cancel);
  if (absl::IsInvalidArgument(read.status()) && !unknown_) {  // the job's name is not a valid key
    return Unusable(read.status());
  }
  if (!read.ok()) return Annotate(read.status(), id);
  std::optional<StoredEntity>& stored = (*read)[0];
  const bool job_killed = (*read)[1] && IsKilledJob((*read)[1]->entity);
  if (!stored) {
    ForgetUnknown();
    return ClaimResult{.kind = Kind::kTaken};
  }
  return TryCommit({TaskEntity(id, std::move(stored->entity)), stored->version}, job_killed);
}

absl::StatusOr<std::optional<ClaimResult>> TaskClaimer::TryCommit(VersionedTask found,
                                                                  bool job_killed) {
  if (std::optional<ClaimResult> known = ConfirmUnknownClaim(found)) return known;
  if (!found.task.MayBePendingIn(context_.options.cluster)) {
    return ClaimResult{.kind = Kind::kTaken};
  }
  if (const auto end = EndInsteadOfClaim(found.task, job_killed)) {
    return CommitEnd(std::move(found), *end);
  }
  // An earlier copy of an unknown claim's commit may still arrive. Therefore send the same commit
  // again: the copy that arrives first makes the claim.
  if (!unknown_) RETURN_IF_ERROR(BeginClaim(std::move(found)));
  return SendUnknown();
}

// The workers of one VM have the same owner name. If two of them claim the same version of a task,
// only the time distinguishes the claims.
absl::Time TaskClaimer::MakeClaimTime() {
  const int micros = std::uniform_int_distribution<>(0, 999'999)(random_);
  return StampOf(context_.clock.Now() - absl::Microseconds(micros));
}

absl::Status TaskClaimer::BeginClaim(VersionedTask found) {
  const DatastoreQueueOptions& options = context_.options;
  const absl::Time claimed_at = MakeClaimTime();
  found.task.Claim(options.owner, options.monitor_address ? options.monitor_address() : "",
                   claimed_at, context_.clock.Now());
  const JournalEntry entry = {options.project,
                              options.cluster,
                              found.task.id(),
                              options.owner,
                              found.task.version(),
                              claimed_at,
                              options.memory_mark ? options.memory_mark() : ""};
  if (context_.journal != nullptr) {
    if (absl::Status begun = context_.journal->Begin(entry); !begun.ok()) {
      return ClaimNotPersistable(std::move(begun));
    }
  }
  unknown_.emplace(UnknownClaim{entry, std::move(found)});
  return absl::OkStatus();
}

std::optional<ClaimResult> TaskClaimer::ConfirmUnknownClaim(const VersionedTask& stored) {
  if (!unknown_) return std::nullopt;
  const JournalEntry& entry = unknown_->entry;
  if (stored.task.IsClaimOf(entry.owner, entry.version, entry.claimed_at)) {
    const absl::Time claimed_at = entry.claimed_at;
    unknown_.reset();  // the journal keeps the entry
    return Claimed(stored, claimed_at);
  }
  // Another version is stored now, so the commit can have no effect any more.
  if (stored.stored_version != unknown_->update.stored_version) ForgetUnknown();
  return std::nullopt;
}

absl::StatusOr<std::optional<ClaimResult>> TaskClaimer::SendUnknown() {
  VersionedTask& update = unknown_->update;
  const auto version = context_.client.Update(update.task.entity(), update.stored_version);
  if (absl::IsNotFound(version.status())) {
    ForgetUnknown();
    return ClaimResult{.kind = Kind::kTaken};
  }
  // Nothing was applied if the only copy is refused for good. A passing refusal (429) may be the
  // answer to a copy that the network made, while the first one was applied.
  const bool is_final =
      absl::IsInvalidArgument(version.status()) || absl::IsPermissionDenied(version.status());
  if (is_final && !unknown_->sent) {
    ForgetUnknown();
    if (absl::IsInvalidArgument(version.status())) return Unusable(version.status());
    return version.status();
  }
  unknown_->sent = true;
  // After another error the claim stays unknown: an earlier copy may have been applied.
  RETURN_IF_ERROR(version.status());
  if (!*version) return std::nullopt;
  const absl::Time claimed_at = unknown_->entry.claimed_at;
  update.stored_version = **version;
  VersionedTask held = std::move(update);
  unknown_.reset();  // the journal keeps the entry
  return Claimed(std::move(held), claimed_at);
}

absl::StatusOr<std::optional<ClaimResult>> TaskClaimer::CommitEnd(VersionedTask stored,
                                                                  const RecordedEnd& end) {
  const absl::Time now = StampOf(context_.clock.Now());
  if (end.kind == Outcome::Kind::kKilled) {
    stored.task.Kill(end.reason, now);
  } else {
    stored.task.Fail(end.reason, now);
  }
  const auto version = context_.client.Update(stored.task.entity(), stored.stored_version);
  if (absl::IsNotFound(version.status())) {
    ForgetUnknown();
    return ClaimResult{.kind = Kind::kTaken};
  }
  if (absl::IsInvalidArgument(version.status()) && !unknown_) return Unusable(version.status());
  if (!version.ok()) return version.status();
  if (*version) {
    ForgetUnknown();
    return ClaimResult{.kind = Kind::kEnded, .ended = end};
  }
  if (unknown_) return std::nullopt;  // a copy of the claim may have come first
  context_.log.WithTask(end.task_id)
      .Debug("it is not known whether the end is recorded: ", end.reason);
  return ClaimResult{.kind = Kind::kTaken};
}

ClaimResult TaskClaimer::Claimed(VersionedTask held, absl::Time claimed_at) const {
  ClaimResult result{.kind = Kind::kClaimed};
  result.claim.task = held.task.ToTask();
  result.claim.task.history = held.task.History();
  result.claim.attempt = CountClaims(result.claim.task.history);
  result.claim.version = held.task.version();
  result.claim.claimed_at = claimed_at;
  result.held.emplace(std::move(held));
  return result;
}

void TaskClaimer::ForgetUnknown() {
  if (unknown_ && context_.journal != nullptr) context_.journal->End(unknown_->entry);
  unknown_.reset();
}

}  // namespace sparkles
