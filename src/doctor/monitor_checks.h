// Checks what the Monitor and the health checks need.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "doctor/finding.h"
#include "monitor/server.h"

namespace sparkles {

// Checks that the keys exist and are usable at `now`. `read_keys` reads them from Datastore;
// NotFound if there are none.
void CheckClusterKeys(const std::function<absl::StatusOr<MonitorKeys>()>& read_keys, absl::Time now,
                      Findings& findings);

// Listens on `port` for a moment. `find_address` returns the numeric address at which clients reach
// this machine, or "" if it is unknown.
void CheckMonitorPort(int port, const std::function<std::string()>& find_address,
                      const CancelToken& cancel, Findings& findings);

// Serves `port` of `address` for a moment.
void CheckHealthPort(const std::string& address, int port, Findings& findings);

}  // namespace sparkles
