// The Monitor of a cluster's worker, if it can be had: its keys lie in Datastore.
// The one hard idea: watching is optional. Whatever is wrong with it is a warning, never the end.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "gcp/datastore_client.h"
#include "gcp/entity.h"
#include "monitor/output_table.h"
#include "monitor/server.h"

namespace sparkles {

// The keys in the entity `ClusterKeys`. FailedPrecondition if one is missing or of another type.
absl::StatusOr<MonitorKeys> ParseMonitorKeys(const Entity& entity);

// Serves on `port`. Null, with a warning in the log, if there are no keys, they are of no use, or
// the port is taken.
std::unique_ptr<MonitorServer> StartClusterMonitor(int port, DatastoreClient& datastore,
                                                   OutputTable& outputs, Clock& clock,
                                                   const CancelToken& cancel, const Log& log);

}  // namespace sparkles
