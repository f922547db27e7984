// Checks of numeric IP addresses, IPv4 and IPv6.
#pragma once

#include <string>

namespace sparkles {

// True for "10.0.0.1" and for "fd20::1" (without brackets).
bool IsIpAddress(const std::string& text);

// True if this machine has a route to the numeric address `ip`. Sends nothing.
bool HasRouteTo(const std::string& ip);

}  // namespace sparkles
