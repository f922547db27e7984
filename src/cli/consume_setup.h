// What a worker and the parent of slots check and find before the first claim.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/google_cloud.h"
#include "gcp/metadata_server.h"
#include "monitor/health_server.h"
#include "queue/tasks_file.h"
#include "queue/tasks_file_watch.h"
#include "worker/worker_stop.h"

namespace sparkles {

// The severity of the flag --logLevel.
Severity SeverityOf(const std::string& level);

// Checks the version, reads the tasks file (if there is one) into `file`, makes the directories,
// and makes their paths in `options` absolute. Returns an exit code if the worker cannot start. The
// log then has the reason. Logs only those problems of the tasks file for which `is_news` is true.
std::optional<int> PrepareToConsume(ConsumeOptions& options, TasksFileWatch& watch,
                                    absl::FunctionRef<bool(absl::string_view)> is_news,
                                    const Log& log, TasksFile& file);

// Where a worker of a cluster runs.
struct ClusterPlace {
  std::string project;
  VmIdentity identity;  // owner name, address and machine type
};

// Finds `place`. Returns an exit code if the worker must end. The log then has the reason.
std::optional<int> FindClusterPlace(const ConsumeOptions& options, GoogleCloud& cloud,
                                    const WorkerStop& stop, const Log& log, ClusterPlace& place);

void LogClusterPlace(const ConsumeOptions& options, const ClusterPlace& place, const Log& log);

// Null if --healthPort is 0, or the port cannot be used. The worker then has no health checks.
std::unique_ptr<HealthServer> StartHealthServer(const ConsumeOptions& options,
                                                HealthServer::Handler handler, const Log& log);

}  // namespace sparkles
