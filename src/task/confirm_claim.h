// The question whether a task is still ours, which its run asks before what cannot be taken back.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"

namespace sparkles {

enum class ClaimState {
  kOurs,
  kKilled,  // the task or its job was killed, and no other worker has claimed the task since
  kLost,    // another worker has the task, or it was deleted
};

enum class Freshness {
  kRecent,  // what was answered within the last half minute will do
  kNow,     // only the answer to a question that is asked from now on
};

// An error: the state is unknown. Cancelled: `cancel`, which ends the question, is cancelled. kNow
// may be asked by many threads at once.
using ConfirmClaim =
    absl::FunctionRef<absl::StatusOr<ClaimState>(Freshness freshness, const CancelToken& cancel)>;

// Cancels `task` unless the claim is ours, with the kind and reason for that.
void CancelIfEnded(ClaimState state, CancelToken& task);

}  // namespace sparkles
