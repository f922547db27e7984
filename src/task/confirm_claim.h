// The question whether a task is still ours, which its run asks before what cannot be taken back.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/cancel.h"

namespace sparkles {

enum class Freshness {
  kRecent,  // what was answered within the last half minute will do
  kNow,     // only the answer to a question that is asked from now on
};

// Cancelled: the task is somebody else's now, or `cancel`, which ends the question, is cancelled.
// Any other error, for kNow only: nobody knows. May cancel the run's token. kNow may be asked by
// many threads at once.
using ConfirmClaim =
    absl::FunctionRef<absl::Status(Freshness freshness, const CancelToken& cancel)>;

}  // namespace sparkles
