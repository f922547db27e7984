#include "cli/cluster_monitor.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sparkles {
namespace {

const EntityKey& KeysEntity() {
  static const EntityKey key{"ClusterKeys", "sparklespray"};
  return key;
}

absl::StatusOr<std::string> Present(std::optional<std::string> value, absl::string_view property) {
  if (value && !value->empty()) return *std::move(value);
  return absl::FailedPreconditionError(
      absl::StrCat("ClusterKeys/sparklespray: ", property, ": missing or of another type"));
}

absl::StatusOr<std::unique_ptr<MonitorServer>> Start(int port, DatastoreClient& datastore,
                                                     OutputTable& outputs, Clock& clock,
                                                     const CancelToken& cancel) {
  ASSIGN_OR_RETURN(const LookupResult found, datastore.Lookup({KeysEntity()}, cancel));
  if (found.entities.empty() || !found.entities[0]) {
    return absl::NotFoundError("Datastore has no entity ClusterKeys/sparklespray");
  }
  ASSIGN_OR_RETURN(const MonitorKeys keys, ParseMonitorKeys(*found.entities[0]));
  MonitorOptions options;
  options.port = port;
  return MonitorServer::Start(keys, options, outputs, clock);
}

}  // namespace

absl::StatusOr<MonitorKeys> ParseMonitorKeys(const Entity& entity) {
  MonitorKeys keys;
  ASSIGN_OR_RETURN(keys.certificate, Present(AsBlob(entity.Find("cert")), "cert"));
  ASSIGN_OR_RETURN(keys.private_key, Present(AsBlob(entity.Find("private_key")), "private_key"));
  ASSIGN_OR_RETURN(keys.shared_secret,
                   Present(AsString(entity.Find("shared_secret")), "shared_secret"));
  return keys;
}

std::unique_ptr<MonitorServer> StartClusterMonitor(int port, DatastoreClient& datastore,
                                                   OutputTable& outputs, Clock& clock,
                                                   const CancelToken& cancel, const Log& log) {
  auto server = Start(port, datastore, outputs, clock, cancel);
  if (!server.ok()) {
    log.Warning("Monitor: ", server.status().message(), "; tasks run without it");
    return nullptr;
  }
  log.Info("the Monitor listens on port ", port);
  return *std::move(server);
}

}  // namespace sparkles
