#include "queue/unrecorded_ends.h"

#include "absl/strings/str_cat.h"

namespace sparkles {

void UnrecordedEnds::Add(const Claim& claim, const Outcome& outcome) {
  ends_.emplace_back(claim, outcome);
  ends_.back().second.folder.reset();
}

absl::Status UnrecordedEnds::Record(
    bool is_last_try,
    absl::FunctionRef<absl::Status(const Claim& claim, const Outcome& outcome)> end,
    std::vector<RecordedEnd>& recorded) {
  absl::Status trouble;
  std::erase_if(ends_, [&](const std::pair<Claim, Outcome>& unrecorded) {
    if (is_last_try && !trouble.ok()) return false;
    const Claim& claim = unrecorded.first;
    Outcome outcome = unrecorded.second;
    absl::Status status = end(claim, outcome);
    const bool is_refused = absl::IsInvalidArgument(status);
    bool is_final = false;
    if (is_refused) {
      is_final = refusals_.Add(claim.task.id, claim.claimed_at, clock_.Now()) || is_last_try;
    }
    if (is_final) {
      outcome.kind = Outcome::Kind::kHandBack;
      outcome.failure_reason =
          absl::StrCat(kAbandonedPrefix, "its end is refused: ", status.message());
      status = end(claim, outcome);
    }
    if (status.ok()) recorded.push_back({claim.task.id, outcome.kind, outcome.failure_reason});
    if (status.ok() || absl::IsAborted(status)) {
      refusals_.Forget(claim.task.id, claim.claimed_at);
      return true;
    }
    log_.WithTask(claim.task.id).Debug("its end cannot be recorded yet: ", status.message());
    // A hand-back that is refused, too, must not keep an idle worker from ending.
    if (!is_final || !absl::IsInvalidArgument(status)) trouble.Update(status);
    return false;
  });
  return trouble;
}

}  // namespace sparkles
