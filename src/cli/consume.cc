// consume: the composition root. Objects are built as locals, top to bottom, and borrowed upwards.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/keep_alive_clock.h"
#include "base/log.h"
#include "base/path.h"
#include "base/status.h"
#include "base/worker_metrics.h"
#include "cli/cluster_monitor.h"
#include "cli/commands.h"
#include "cli/google_cloud.h"
#include "cli/run_tasks.h"
#include "cli/version.h"
#include "executor/content_cache.h"
#include "executor/crash_cleanup.h"
#include "gcp/datastore_client.h"
#include "gcp/environment.h"
#include "gcp/preemption_watch.h"
#include "monitor/health.h"
#include "monitor/health_server.h"
#include "process/oom_watch.h"
#include "process/posix_process_runner.h"
#include "process/thread_stacks.h"
#include "queue/datastore_queue.h"
#include "queue/file_queue.h"
#include "queue/tasks_file_watch.h"
#include "storage/local_store.h"
#include "storage/metered_store.h"
#include "storage/store_router.h"
#include "worker/exit_code.h"
#include "worker/exit_timer.h"
#include "worker/signals.h"
#include "worker/timed_hand_back.h"
#include "worker/worker_stop.h"

namespace sparkles {
namespace {

// docs/wire-entities.md: a killed job or a lost claim is noticed within 20 s.
constexpr absl::Duration kClaimWatchPeriod = absl::Seconds(15);
// An outage of Datastore must not cost a result that took hours.
constexpr absl::Duration kRecordMaxElapsed = absl::Hours(6);
// Limit from the end of the last task to the end of the process. The watchdog has ended by then,
// and a disk or server may hang.
constexpr absl::Duration kMaxExitTime = absl::Seconds(10);
// Before that, for readers of logs (ClusterMonitor::AwaitReaders takes 10 s at most).
constexpr absl::Duration kMaxReaderWait = absl::Seconds(15);

Severity SeverityOf(const std::string& level) {
  if (level == "debug") return Severity::kDebug;
  if (level == "warning") return Severity::kWarning;
  if (level == "error") return Severity::kError;
  return Severity::kInfo;
}

std::string LocalOwner() {
  char host[256] = "localhost";
  (void)gethostname(host, sizeof host - 1);
  return absl::StrCat(host, ":", getpid());
}

// Creates the directory, and replaces `path` by its real path. By this path the next worker finds
// the leftovers of a killed worker, even if its own flag spells the path in another way.
absl::Status MakeAbsoluteDirectory(std::string& path) {
  RETURN_IF_ERROR(MakeDirectories(path));
  ASSIGN_OR_RETURN(path, RealPath(path));
  if (access(path.c_str(), W_OK | X_OK) != 0) return ErrnoError(errno, path);
  return absl::OkStatus();
}

int ConsumeTasksFile(const WorkerParts& worker, TasksFile file, TasksFileWatch& watch) {
  const ConsumeOptions& options = worker.options;
  auto queue = FileQueue::Open(
      options.tasks_file, std::move(file.tasks),
      {.owner = LocalOwner(), .durable = options.durable, .watch = &watch, .log = &worker.log},
      worker.clock);
  if (!queue.ok()) {
    worker.log.Error(queue.status().message());
    return kExitTasksFile;
  }
  // The launcher keeps the claim's lock until the task's command is dead, even if this process ends
  // first.
  bool held = false;
  const auto hold_claim = [&] {
    if (held) return;
    const absl::Status holding = worker.runner.KeepOpenInLauncher((*queue)->lock_fd());
    held = holding.ok();
    if (!held) worker.log.Warning("launcher: ", holding.message());  // the next task tries again
  };
  const int code = RunTasks(worker, {.queue = **queue, .before_task = hold_claim});
  return code == kExitDone && watch.has_problems() ? kExitTasksFile : code;
}

// The owner name, address and machine type of this worker.
absl::StatusOr<VmIdentity> FindIdentity(const ConsumeOptions& options, GoogleCloud& cloud,
                                        const CancelToken& cancel) {
  if (options.localhost) return VmIdentity{"localhost", "localhost", ""};
  auto identity = cloud.metadata().Identity(cancel);
  if (identity.ok()) return identity;
  return Annotate(identity.status(),
                  "cannot find the name of this VM (outside Google Cloud use --localhost)");
}

int ConsumeDatastore(const WorkerParts& worker) {
  const ConsumeOptions& options = worker.options;
  GoogleCloud& cloud = worker.cloud;
  WorkerStop& stop = worker.stop;
  const Log& log = worker.log;
  const CancelToken& drain = stop.drain();
  auto project = FindProjectId(options.project_id, ProcessEnvironment, cloud.metadata(), drain);
  if (drain.cancelled()) return stop.ExitCodeBeforeClaims();
  if (!project.ok()) {
    log.Error("--projectId: ", project.status().message());
    return kExitUsage;
  }
  const auto identity = FindIdentity(options, cloud, drain);
  if (drain.cancelled()) return stop.ExitCodeBeforeClaims();
  if (!identity.ok()) {
    log.Error(identity.status().message());
    return kExitFailed;
  }
  log.Info("worker ", identity->owner, ", cluster ", options.cluster, ", project ", *project);
  std::optional<PreemptionWatch> preemption;
  if (!options.localhost) {
    preemption.emplace(cloud.metadata(), worker.clock, stop.token(), stop.preempted(), log);
  }
  DatastoreClient client(cloud.datastore_api(), *project,
                         {.stop = &stop.token(),
                          .stop_time = stop.time().OnPreemption(),
                          .heartbeat = &worker.metrics.heartbeat});
  std::optional<ClusterMonitor> monitor;
  if (options.port != 0) {
    monitor.emplace(identity->address, options.port, client, worker.clock, stop.token(), log);
  }
  const auto journal = ClaimJournal::Open(options.tasks_dir, options.durable);
  if (!journal.ok()) {
    log.Error("--tasksDir: ", journal.status().message());
    return kExitMachineUnfit;
  }
  const DatastoreQueueOptions queue_options = {
      .cluster = options.cluster,
      .owner = identity->owner,
      .monitor_address = [&monitor] { return monitor ? monitor->Address() : ""; },
      .project = *project,
      .before_hand_back = [&] { worker.crash_cleanup.End(stop.token()); },
      .memory_mark = [] { return OomMark(); },
      .memory_since = [](const std::string& mark) { return OomKillsSince(mark); }};
  DatastoreQueue queue(queue_options, client, worker.clock, log, journal->get());
  DatastoreQueue hand_back_queue(queue_options, client, worker.clock, log);
  TimedHandBack hand_back(hand_back_queue);
  const int code = RunTasks(worker, {.queue = queue,
                                     .hand_back = &hand_back,
                                     .monitor = monitor ? &*monitor : nullptr,
                                     .consumer = {.watch_period = kClaimWatchPeriod,
                                                  .record_max_elapsed = kRecordMaxElapsed},
                                     .machine_type = identity->machine_type});
  StartExitTimer(kMaxExitTime + kMaxReaderWait, code);
  if (monitor) monitor->AwaitReaders(stop.token());
  StartExitTimer(kMaxExitTime, code);
  return code;
}

// Null if --healthPort is 0, or the port cannot be used. The worker then has no health checks.
std::unique_ptr<HealthServer> StartHealthServer(const ConsumeOptions& options,
                                                const WorkerMetrics& metrics,
                                                const CancelToken& drain, Clock& clock,
                                                const Log& log) {
  if (options.health_port == 0) return nullptr;
  const bool remote = options.tasks_file.empty();
  auto server = HealthServer::Start(options.health_address, options.health_port,
                                    [&metrics, &drain, &clock, remote](absl::string_view path) {
                                      return AnswerHealth(path, {.metrics = metrics,
                                                                 .now = clock.Now(),
                                                                 .version = WorkerVersion(),
                                                                 .stopping = drain.cancelled(),
                                                                 .queue_is_remote = remote});
                                    });
  if (server.ok()) return *std::move(server);
  log.Warning("--healthPort: ", server.status().message(), "; there are no health checks");
  return nullptr;
}

// Throws std::system_error if a thread that every worker needs cannot be started.
int RunWorker(const ConsumeOptions& options, TasksFile file, TasksFileWatch& watch,
              PosixProcessRunner& runner, Clock& clock, WorkerMetrics& metrics, const Log& log) {
  GoogleCloud cloud(ProcessEnvironment, clock, &metrics, &log,
                    {.permission_max_elapsed = absl::Seconds(options.permission_patience_seconds),
                     .project_id = options.project_id});
  LocalStore local(options.durable, &metrics.heartbeat);
  StoreRouter router(local, &cloud.store());
  MeteredStore store(router, metrics);
  ContentCache cache(options.cache_dir, store, clock, &metrics, &log);
  WorkerStop stop({absl::Seconds(options.stop_within_seconds)}, log.sink());
  const auto health = StartHealthServer(options, metrics, stop.drain(), clock, log);
  CrashCleanup crash_cleanup(options.tasks_dir, metrics.heartbeat, log);
  const WorkerParts worker = {.options = options,
                              .runner = runner,
                              .cloud = cloud,
                              .store = store,
                              .cache = cache,
                              .stop = stop,
                              .crash_cleanup = crash_cleanup,
                              .clock = clock,
                              .metrics = metrics,
                              .log = log};
  const int code = options.tasks_file.empty() ? ConsumeDatastore(worker)
                                              : ConsumeTasksFile(worker, std::move(file), watch);
  StartExitTimer(kMaxExitTime, code);
  return code;
}

}  // namespace

int RunConsume(ConsumeOptions options) {
  BlockSignals();
  // Before all other objects: the launcher must be a small process (see process/launcher.h).
  auto runner = PosixProcessRunner::Start("/proc", /*relaunch=*/true);
  PrepareThreadStacks();
  SystemClock system_clock;
  WorkerMetrics metrics;
  // Four beats in a period: one late beat is not a stall.
  KeepAliveClock clock(system_clock, metrics.heartbeat, WatchdogPeriod(options) / 4);
  LogSink sink(clock, STDERR_FILENO,
               options.log_format == "json" ? LogFormat::kJson : LogFormat::kText,
               SeverityOf(options.log_level));
  const Log log(sink);
  if (!options.expected_version.empty() && !IsExpectedVersion(options.expected_version)) {
    log.Error("--expectedVersion is ", options.expected_version, ", but this is ", VersionLine(),
              "; no task was claimed. Set sparklesworker_image in .sparkles to an image of that ",
              "version, or build this worker with `make static VERSION=", options.expected_version,
              "`");
    return kExitVersion;
  }
  if (!runner.ok()) {
    log.Error("cannot start processes: ", runner.status().message());
    return kExitMachineUnfit;
  }
  TasksFile file;
  TasksFileWatch watch(options.tasks_file, clock);
  if (!options.tasks_file.empty()) {
    auto read = watch.Read();
    if (!read.ok()) {
      log.Error(read.status().message());
      return kExitTasksFile;
    }
    file = *std::move(read);
    for (const std::string& problem : file.problems) log.Error(options.tasks_file, ": ", problem);
  }
  for (std::string* directory : {&options.tasks_dir, &options.cache_dir}) {
    const absl::Status made = MakeAbsoluteDirectory(*directory);
    if (made.ok()) continue;
    log.Error(directory == &options.tasks_dir ? "--tasksDir: " : "--cacheDir: ", made.message());
    return kExitMachineUnfit;
  }
  if (options.port != 0 && !options.tasks_file.empty()) {
    log.Warning(
        "--port: the Monitor needs the keys of a cluster; with --tasksFile there is no Monitor");
  }
  try {
    return RunWorker(options, std::move(file), watch, **runner, clock, metrics, log);
  } catch (const std::system_error& error) {
    // The threads that every worker needs start before the first claim.
    log.Error("cannot start threads: ", error.what(),
              "; raise the limit on processes (ulimit -u, or the pids limit of the container)");
    return kExitMachineUnfit;
  }
}

}  // namespace sparkles
