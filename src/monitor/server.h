// The Monitor: a gRPC server through which users watch running tasks.
// gRPC starts no thread before Start is called.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "monitor/listener.h"
#include "monitor/output_table.h"

namespace sparkles {

// The keys that all Monitors of a cluster share.
struct MonitorKeys {
  std::string certificate;  // PEM
  std::string private_key;  // PEM
  std::string shared_secret;
};

struct MonitorOptions {
  int port = 0;  // 0 selects a free port
  std::string proc_root = "/proc";
  ListenerLimits limits;
};

// Serves ReadOutput, GetProcessStatus and reflection over TLS until it is destroyed. Clients must
// send the secret. The threads have a lower priority than the worker's, so that clients do not slow
// down the task.
class MonitorServer {
 public:
  // Borrows `outputs` and `clock`. FailedPrecondition if the keys are unusable. Returns the
  // system's error if the port is in use.
  static absl::StatusOr<std::unique_ptr<MonitorServer>> Start(const MonitorKeys& keys,
                                                              const MonitorOptions& options,
                                                              OutputTable& outputs, Clock& clock);
  // Ends running calls and closes all connections.
  ~MonitorServer();
  MonitorServer(const MonitorServer&) = delete;
  MonitorServer& operator=(const MonitorServer&) = delete;

  int port() const;

 private:
  class Parts;
  explicit MonitorServer(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace sparkles
