// The check of the claim that a task's run makes before a step that cannot be undone.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"

namespace sparkles {

enum class ClaimState {
  kHeld,
  kKilled,  // the task or its job was killed, and no other worker has claimed the task since
  kLost,    // another worker has the task, or it was deleted
};

enum class Freshness {
  kRecent,  // accepts an answer of the queue from the last half minute
  kNow,     // asks the queue again
};

// Returns an error if the state is unknown: Cancelled if `cancel` is cancelled, which ends the
// check, and any other error if the queue gave no answer. With kNow, many threads may call this at
// the same time.
using ConfirmClaim =
    absl::FunctionRef<absl::StatusOr<ClaimState>(Freshness freshness, const CancelToken& cancel)>;

// Cancels `task`, with the kind and the reason, if the claim has ended.
void CancelIfEnded(ClaimState state, CancelToken& task);

}  // namespace sparkles
