// Starts the Monitor of a cluster's worker with the keys from Datastore.
// The Monitor is optional: if it cannot start, the worker logs a warning and runs tasks without it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "gcp/datastore_client.h"
#include "gcp/entity.h"
#include "monitor/log_publisher.h"
#include "monitor/output_table.h"
#include "monitor/server.h"

namespace sparkles {

// The keys in the entity `ClusterKeys`. FailedPrecondition if one is missing or has the wrong type.
absl::StatusOr<MonitorKeys> ParseMonitorKeys(const Entity& entity);

// Reads the keys from Datastore. NotFound if there is no entity with keys.
absl::StatusOr<MonitorKeys> ReadMonitorKeys(DatastoreClient& datastore, const CancelToken& cancel);

// Thread-safe.
class ClusterMonitor : public LogPublisher {
 public:
  // The longest time of AwaitReaders.
  static constexpr absl::Duration kMaxReaderWait = absl::Seconds(10);

  // Starts a Monitor on `port`. `host` is the name of this machine for clients. If Datastore does
  // not answer, a thread asks again until `cancel` is cancelled. If the keys are missing or
  // unusable, or the port is in use, logs a warning and does not start a Monitor. Borrows
  // `datastore`, `clock`, `cancel` and `log`.
  ClusterMonitor(std::string host, int port, DatastoreClient& datastore, Clock& clock,
                 const CancelToken& cancel, const Log& log);

  // The address for claims, "host:port". Empty if the Monitor does not run.
  std::string Address();

  absl::Status AddLog(const std::string& task_id, const std::string& path) override;
  void EndLog(const std::string& task_id) override { outputs_.End(task_id); }
  // Drops logs that exceed a limit of OutputTable. The thread also does this regularly.
  void DropOldLogs() override { outputs_.DropOld(); }
  // Call this before the worker exits. Gives clients that follow a log some seconds to read the
  // rest. Returns when `cancel` is cancelled.
  void AwaitReaders(const CancelToken& cancel);

 private:
  // Reads the keys and starts the server. False if Datastore does not answer.
  bool Start(const CancelToken& cancel);
  absl::StatusOr<std::unique_ptr<MonitorServer>> StartServer(const LookupResult& found);
  void Run(bool decided, const CancelToken& done);

  const std::string host_;
  const int port_;
  DatastoreClient& datastore_;
  Clock& clock_;
  const Log& log_;
  OutputTable outputs_;
  Mutex mutex_;
  std::unique_ptr<MonitorServer> server_ ABSL_GUARDED_BY(mutex_);
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;  // the Monitor cannot start; no retries
  std::optional<Housekeeper> thread_;
};

}  // namespace sparkles
