// Finds the addresses of a host with c-ares.
// The resolvers of the C libraries are not sufficient: glibc waits 5 s for a dead name server. musl
// finds nothing if the IPv6 query fails or an answer exceeds 512 bytes.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/cancel.h"

namespace sparkles {

struct HostAddresses {
  std::vector<std::string> ips;  // numeric, the preferred family first; empty if none was found
  absl::Duration valid_for;      // how long the addresses may be used without another lookup
};

// Reads /etc/hosts, and then asks the servers of /etc/resolv.conf for IPv4 and IPv6 addresses at
// the same time. Takes at most `timeout`. Ends early when `cancel` (may be null) is cancelled.
// Thread-safe.
HostAddresses LookUpHost(const std::string& host, absl::Duration timeout,
                         const CancelToken* cancel);

// The version of the library, for example "c-ares/1.18.1".
std::string HostLookupVersion();

}  // namespace sparkles
