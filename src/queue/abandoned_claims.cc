#include "queue/abandoned_claims.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace sparkles {

void AbandonedClaims::HandBack() {
  if (context_.journal == nullptr) return;
  context_.journal->ForEachAbandoned([this](const JournalEntry& entry) {
    if (entry.project != context_.options.project) return false;
    if (context_.options.before_hand_back) context_.options.before_hand_back();
    if (!HandBackEntry(entry)) return false;
    refusals_.Forget(entry.task_id, entry.claimed_at);
    return true;
  });
}

bool AbandonedClaims::HandBackEntry(const JournalEntry& entry) {
  const auto& memory_since = context_.options.memory_since;
  std::string memory = memory_since ? memory_since(entry.memory_mark) : "";
  if (!memory.empty()) memory = absl::StrCat("; ", memory);
  const std::string reason =
      absl::StrCat(kAbandonedPrefix, "its worker ended without finishing the task", memory);
  const absl::Status status = ender_.Revoke(entry, reason);
  const Log log = context_.log.WithTask(entry.task_id);
  if (status.ok()) {
    log.Warning("handed back: claimed by a dead worker of this machine", memory);
    return true;
  }
  if (absl::IsAborted(status)) return true;
  if (absl::IsInvalidArgument(status) &&
      refusals_.Add(entry.task_id, entry.claimed_at, context_.clock.Now())) {
    log.Error("stays claimed by a dead worker, because Datastore refuses the hand-back: ",
              status.message(), "; reset the task with `sparkles reset`");
    return true;
  }
  log.Warning("cannot hand back the task of a dead worker yet: ", status.message());
  return false;
}

}  // namespace sparkles
