// Measures how long a TCP connection takes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"

namespace sparkles {

// Connects to the numeric address `ip`, IPv4 or IPv6, closes the connection, and returns the time.
// DeadlineExceeded after `timeout`, Cancelled if `cancel` is cancelled, otherwise the system's
// error. Errors name the address.
absl::StatusOr<absl::Duration> TimeConnect(const std::string& ip, int port, absl::Duration timeout,
                                           const CancelToken& cancel);

}  // namespace sparkles
