// Reads dates and Retry-After from HTTP headers.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "http/transport.h"

namespace sparkles {

// Parses "Sat, 31 Jan 2026 12:00:00 GMT", the only form that servers may send.
std::optional<absl::Time> ParseHttpDate(absl::string_view text);

// The server's time, from its header Date.
std::optional<absl::Time> ServerTime(const HttpResponse& response);

// The wait that the header Retry-After asks for, never negative. The header has seconds, or a date,
// which is compared with the server's clock.
std::optional<absl::Duration> ParseRetryAfter(const HttpResponse& response);

}  // namespace sparkles
