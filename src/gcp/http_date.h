// Dates in HTTP headers, and how long a server asks to wait.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "http/transport.h"

namespace sparkles {

// "Sat, 31 Jan 2026 12:00:00 GMT", the one form that servers may write.
std::optional<absl::Time> ParseHttpDate(absl::string_view text);

// The server's clock by its header Date.
std::optional<absl::Time> ServerTime(const HttpResponse& response);

// The header Retry-After: seconds, or a date (then counted from the server's own clock, not ours).
// Never negative.
std::optional<absl::Duration> ParseRetryAfter(const HttpResponse& response);

}  // namespace sparkles
