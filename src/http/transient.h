// Marks on an absl::Status that tell the retry loop whether a retry makes sense.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace sparkles {

// Marks an error as transient: a retry may succeed. With `maybe_applied` the server may have
// applied the request, so that only an idempotent request may be repeated. `retry_after` is the
// wait that the server asked for.
absl::Status Transient(absl::Status status, bool maybe_applied,
                       std::optional<absl::Duration> retry_after = std::nullopt);

bool IsTransient(const absl::Status& status);
bool MaybeApplied(const absl::Status& status);
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

}  // namespace sparkles
