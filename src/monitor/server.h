// The Monitor: people watch running tasks through it. The only door to gRPC; nothing of gRPC runs
// before Start is called.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "monitor/listener.h"
#include "monitor/output_table.h"

namespace sparkles {

// What a cluster's monitors share.
struct MonitorKeys {
  std::string certificate;  // PEM
  std::string private_key;  // PEM
  std::string shared_secret;
};

struct MonitorOptions {
  int port = 0;  // 0: one that the kernel picks
  std::string proc_root = "/proc";
  ListenerLimits limits;
};

// Serves ReadOutput, GetProcessStatus and reflection over TLS until it is destroyed, to whoever
// knows the secret. Its threads are nicer than the worker's: watching a task must not slow it.
class MonitorServer {
 public:
  // Borrows table and clock. FailedPrecondition if the keys are of no use or the port is taken.
  static absl::StatusOr<std::unique_ptr<MonitorServer>> Start(const MonitorKeys& keys,
                                                              const MonitorOptions& options,
                                                              OutputTable& outputs, Clock& clock);
  // Ends calls in work and closes all connections.
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
