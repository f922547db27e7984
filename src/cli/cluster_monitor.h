// The Monitor of a cluster's worker, if it can be had: its keys lie in Datastore.
// The one hard idea: watching is optional. Whatever is wrong with it is a warning, never the end.
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
#include "monitor/output_table.h"
#include "monitor/server.h"

namespace sparkles {

// The keys in the entity `ClusterKeys`. FailedPrecondition if one is missing or of another type.
absl::StatusOr<MonitorKeys> ParseMonitorKeys(const Entity& entity);

// Thread-safe.
class ClusterMonitor {
 public:
  // Serves on `port` of `host`, our name for others. If Datastore does not answer it is asked
  // again, on a thread, until it does or `cancel` is cancelled; there is a warning in the log if
  // there are no keys, they are of no use, or the port is taken: then nobody is served. Borrows
  // all.
  ClusterMonitor(std::string host, int port, DatastoreClient& datastore, Clock& clock,
                 const CancelToken& cancel, const Log& log);

  // For claims: "host:port", or empty while nobody is served.
  std::string Address();

  // The log of a task that begins, and the same when it has ended.
  absl::Status Show(const std::string& task_id, const std::string& path);
  void End(const std::string& task_id) { outputs_.End(task_id); }
  // Before the end: lets those who follow a log read the rest, for some seconds, or until `cancel`.
  void AwaitReaders(const CancelToken& cancel);
  // Lets go of logs that are not kept any longer; the thread does it from time to time.
  void DropOldLogs() { outputs_.DropOld(); }

 private:
  // False if Datastore does not answer.
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
  bool is_off_ ABSL_GUARDED_BY(mutex_) = false;  // for good
  std::optional<Housekeeper> thread_;
};

}  // namespace sparkles
