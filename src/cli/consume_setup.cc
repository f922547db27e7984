#include "cli/consume_setup.h"

#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/path.h"
#include "base/status.h"
#include "cli/version.h"
#include "gcp/adc.h"
#include "gcp/environment.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

// Creates the directory, and replaces `path` by its real path. By this path the next worker finds
// the leftovers of a killed worker, even if its own flag spells the path in another way.
absl::Status MakeAbsoluteDirectory(std::string& path) {
  RETURN_IF_ERROR(MakeDirectories(path));
  ASSIGN_OR_RETURN(path, RealPath(path));
  if (access(path.c_str(), W_OK | X_OK) != 0) return ErrnoError(errno, path);
  return absl::OkStatus();
}

absl::StatusOr<VmIdentity> FindIdentity(const ConsumeOptions& options, GoogleCloud& cloud,
                                        const CancelToken& cancel) {
  if (options.localhost) return VmIdentity{"localhost", "localhost", ""};
  auto identity = cloud.metadata().Identity(cancel);
  if (identity.ok()) return identity;
  return Annotate(identity.status(),
                  "cannot find the name of this VM (outside Google Cloud use --localhost)");
}

}  // namespace

Severity SeverityOf(const std::string& level) {
  if (level == "debug") return Severity::kDebug;
  if (level == "warning") return Severity::kWarning;
  if (level == "error") return Severity::kError;
  return Severity::kInfo;
}

std::optional<int> PrepareToConsume(ConsumeOptions& options, TasksFileWatch& watch,
                                    absl::FunctionRef<bool(absl::string_view)> is_news,
                                    const Log& log, TasksFile& file) {
  if (!options.expected_version.empty() && !IsExpectedVersion(options.expected_version)) {
    log.Error("--expectedVersion is ", options.expected_version, ", but this is ", VersionLine(),
              "; no task was claimed. Set sparklesworker_image in .sparkles to an image of that ",
              "version, or build this worker with `make static VERSION=", options.expected_version,
              "`");
    return kExitVersion;
  }
  if (!options.tasks_file.empty()) {
    auto read = watch.Read();
    if (!read.ok()) {
      log.Error(read.status().message());
      return kExitTasksFile;
    }
    file = *std::move(read);
    for (const std::string& problem : file.problems) {
      if (is_news(problem)) log.Error(options.tasks_file, ": ", problem);
    }
  }
  for (std::string* directory : {&options.tasks_dir, &options.cache_dir}) {
    const absl::Status made = MakeAbsoluteDirectory(*directory);
    if (made.ok()) continue;
    log.Error(directory == &options.tasks_dir ? "--tasksDir: " : "--cacheDir: ", made.message());
    return kExitMachineUnfit;
  }
  constexpr char kNoMonitor[] =
      "--port: the Monitor needs the keys of a cluster; with --tasksFile there is no Monitor";
  if (options.port != 0 && !options.tasks_file.empty() && is_news(kNoMonitor)) {
    log.Warning(kNoMonitor);
  }
  return std::nullopt;
}

std::optional<int> FindClusterPlace(const ConsumeOptions& options, GoogleCloud& cloud,
                                    const WorkerStop& stop, const Log& log, ClusterPlace& place) {
  const CancelToken& drain = stop.drain();
  auto project = FindProjectId(options.project_id, ProcessEnvironment, cloud.metadata(), drain);
  if (drain.cancelled()) return stop.ExitCodeBeforeClaims();
  if (!project.ok()) {
    log.Error("--projectId: ", project.status().message());
    return kExitUsage;
  }
  auto identity = FindIdentity(options, cloud, drain);
  if (drain.cancelled()) return stop.ExitCodeBeforeClaims();
  if (!identity.ok()) {
    log.Error(identity.status().message());
    return kExitFailed;
  }
  place = {*std::move(project), *std::move(identity)};
  return std::nullopt;
}

void LogClusterPlace(const ConsumeOptions& options, const ClusterPlace& place, const Log& log) {
  log.Info("worker ", place.identity.owner, ", cluster ", options.cluster, ", project ",
           place.project);
}

std::unique_ptr<HealthServer> StartHealthServer(const ConsumeOptions& options,
                                                HealthServer::Handler handler, const Log& log) {
  if (options.health_port == 0) return nullptr;
  auto server =
      HealthServer::Start(options.health_address, options.health_port, std::move(handler));
  if (server.ok()) return *std::move(server);
  log.Warning("--healthPort: ", server.status().message(), "; there are no health checks");
  return nullptr;
}

}  // namespace sparkles
