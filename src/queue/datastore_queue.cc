#include "queue/datastore_queue.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sparkles {
namespace {

// ClaimOne returns after other workers have taken this many candidates. Then the caller waits.
constexpr int kMaxTaken = 3;

}  // namespace

DatastoreQueue::DatastoreQueue(DatastoreQueueOptions options, DatastoreClient& client, Clock& clock,
                               Log log, ClaimJournal* journal)
    : context_{std::move(options), client, clock, std::move(log), journal} {}

absl::StatusOr<std::optional<Claim>> DatastoreQueue::ClaimOne(const CancelToken& cancel) {
  if (cancel.cancelled()) return std::nullopt;
  if (!std::exchange(looked_for_abandoned_, true)) abandoned_.HandBack();
  bool lost_sent = false;
  if (claimer_.unknown() != nullptr) {
    const std::string id = claimer_.unknown()->task_id;
    ASSIGN_OR_RETURN(ClaimResult result, claimer_.ResolveUnknown(cancel));
    if (result.kind == ClaimResult::Kind::kUnusable) candidates_.Skip(id, result.reason);
    lost_sent = result.sent;
    if (auto claim = Accept(std::move(result))) return claim;
  }
  return ClaimCandidate(lost_sent, cancel);
}

absl::StatusOr<std::optional<Claim>> DatastoreQueue::ClaimCandidate(bool lost_sent,
                                                                    const CancelToken& cancel) {
  int taken = 0;
  // Limited, so that the caller can give signs of life.
  for (int looks = 0; looks < CandidateList::kCandidates; ++looks) {
    if (cancel.cancelled()) return std::nullopt;
    ASSIGN_OR_RETURN(const std::optional<std::string> id, candidates_.Next(cancel));
    if (!id) {
      looked_for_abandoned_ = false;
      RETURN_IF_ERROR(RetryUnrecordedEnds(/*is_last_try=*/false));
      // The worker may have held a task until now, so its linger starts anew.
      if (lost_sent) return absl::AbortedError("a claim was lost before its result was known");
      return std::nullopt;
    }
    ASSIGN_OR_RETURN(std::optional<VersionedTask> read,
                     read_ahead_.Take(*id, candidates_.upcoming(), cancel));
    ASSIGN_OR_RETURN(ClaimResult result, claimer_.Claim(*id, std::move(read), cancel));
    lost_sent = lost_sent || result.sent;
    switch (result.kind) {
      case ClaimResult::Kind::kClaimed:
        return Accept(std::move(result));
      case ClaimResult::Kind::kEnded:
        ends_.push_back(*std::move(result.ended));
        break;
      case ClaimResult::Kind::kUnusable:
        candidates_.Skip(*id, result.reason);
        break;
      case ClaimResult::Kind::kTaken:
        candidates_.OnTaken();
        ++taken;
    }
    if (taken == kMaxTaken) break;
  }
  return absl::AbortedError(
      absl::StrCat("claimed no task in this round; other workers took ", taken, " candidates"));
}

std::optional<Claim> DatastoreQueue::Accept(ClaimResult result) {
  if (result.ended) ends_.push_back(*std::move(result.ended));
  if (result.kind != ClaimResult::Kind::kClaimed) return std::nullopt;
  held_.emplace(result.claim, *std::move(result.held));
  return std::move(result.claim);
}

absl::Status DatastoreQueue::RevokeUnknownClaim(const std::string& reason) {
  if (const JournalEntry* unknown = claimer_.unknown()) {
    const std::string id = unknown->task_id;
    const absl::Status revoked = ender_.Revoke(*unknown, reason);
    if (!revoked.ok() && !absl::IsAborted(revoked)) return revoked;
    if (revoked.ok()) ends_.push_back({id, Outcome::Kind::kHandBack, reason});
    claimer_.ForgetUnknown();
  }
  (void)RetryUnrecordedEnds(
      /*is_last_try=*/true);  // the journal names the rest for the next worker
  return absl::OkStatus();
}

absl::Status DatastoreQueue::Finish(const Claim& claim, const Outcome& outcome) {
  if (outcome.kind == Outcome::Kind::kHandBack) {
    return absl::InvalidArgumentError(
        absl::StrCat(claim.task.id, ": the outcome is not the end of a task"));
  }
  return EndOwn(claim, outcome);
}

absl::Status DatastoreQueue::HandBack(const Claim& claim, const std::string& reason) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kHandBack;
  outcome.failure_reason = reason;
  return EndOwn(claim, outcome);
}

absl::Status DatastoreQueue::EndOwn(const Claim& claim, const Outcome& outcome) {
  const ClaimFence fence = {context_.options.project,
                            context_.options.cluster,
                            claim.task.id,
                            context_.options.owner,
                            claim.version,
                            claim.claimed_at,
                            ""};
  const bool is_held =
      held_ && held_->first.task.id == claim.task.id && held_->first.claimed_at == claim.claimed_at;
  absl::Status status =
      ender_.End(fence, outcome, is_held ? std::optional(held_->second) : std::nullopt);
  const bool over = status.ok() || absl::IsAborted(status);
  if (over && is_held) held_.reset();
  if (over && context_.journal != nullptr) context_.journal->End(fence);
  return status;
}

absl::Status DatastoreQueue::RetryUnrecordedEnds(bool is_last_try) {
  return unrecorded_.Record(
      is_last_try,
      [this](const Claim& claim, const Outcome& outcome) { return EndOwn(claim, outcome); }, ends_);
}

absl::StatusOr<ClaimState> DatastoreQueue::Check(const Claim& claim, const CancelToken& cancel) {
  const std::string& id = claim.task.id;
  const std::string& owner = context_.options.owner;
  ASSIGN_OR_RETURN(LookupResult read,
                   context_.client.Lookup({{kTaskKind, id}, {kJobKind, JobIdOf(id)}}, cancel));
  if (!read[0]) return ClaimState::kLost;
  const TaskEntity task(id, std::move(read[0]->entity));
  // Only the attempt that was killed may deliver its log.
  if (task.IsKilled() && task.WasLastClaimedBy(owner, claim.claimed_at)) {
    return ClaimState::kKilled;
  }
  // A lost claim stays lost if its job was killed. The new owner records the kill.
  if (!task.IsClaimOf(owner, claim.version, claim.claimed_at)) return ClaimState::kLost;
  const bool job_killed = read[1] && IsKilledJob(read[1]->entity);
  return job_killed ? ClaimState::kKilled : ClaimState::kHeld;
}

}  // namespace sparkles
