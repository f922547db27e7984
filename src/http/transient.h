// What a retry loop must know of an error besides its code, carried by the absl::Status itself.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace sparkles {

// Marks trouble that may pass. `maybe_applied`: the server may have done what was asked, so that
// only what is idempotent may be sent again. `retry_after`: how long the server asked to wait.
absl::Status Transient(absl::Status status, bool maybe_applied,
                       std::optional<absl::Duration> retry_after = std::nullopt);

bool IsTransient(const absl::Status& status);
bool MaybeApplied(const absl::Status& status);
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

}  // namespace sparkles
