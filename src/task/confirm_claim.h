// The check of the claim that a task's run makes before a step that cannot be undone.
#pragma once

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "base/cancel.h"

namespace sparkles {

enum class Freshness {
  kRecent,  // accepts an answer of the queue from the last half minute
  kNow,     // asks the queue again
};

// OK if the claim stands. Cancelled if the claim is lost or `cancel` is cancelled. Any other error
// (only for kNow) means that the queue gave no answer. May cancel the run's token. With kNow, many
// threads may call this at the same time.
using ConfirmClaim =
    absl::FunctionRef<absl::Status(Freshness freshness, const CancelToken& cancel)>;

}  // namespace sparkles
