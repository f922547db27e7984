// consume: the composition root. Objects are built as locals, top to bottom, and borrowed upwards.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "base/activity.h"
#include "base/beating_clock.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/status.h"
#include "base/stop_time.h"
#include "base/vitals.h"
#include "cli/cluster_monitor.h"
#include "cli/commands.h"
#include "cli/google_cloud.h"
#include "cli/version.h"
#include "executor/command_environment.h"
#include "executor/content_cache.h"
#include "executor/executor.h"
#include "executor/space_guard.h"
#include "executor/task_folder.h"
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
#include "queue/metered_queue.h"
#include "queue/tasks_file_watch.h"
#include "storage/local_store.h"
#include "storage/metered_store.h"
#include "storage/store_router.h"
#include "worker/consumer.h"
#include "worker/end_alarm.h"
#include "worker/exit_code.h"
#include "worker/hung_stop.h"
#include "worker/signals.h"
#include "worker/stall_response.h"
#include "worker/stop_deadline.h"
#include "worker/watchdog.h"

extern char** environ;

namespace sparkles {
namespace {

// docs/wire-contract.md section 3: a killed job or a lost claim is noticed within 20 s.
constexpr absl::Duration kClaimWatchPeriod = absl::Seconds(15);
// An outage of Datastore must not cost a result that took hours.
constexpr absl::Duration kRecordPatience = absl::Hours(6);
// Of one file on its way, between two folders or to a bucket.
constexpr int kTransferDescriptors = 6;
// From the last task's end to the process's. Nobody looks after us then, and no disk or server may
// keep us from going.
constexpr absl::Duration kLongestFarewell = absl::Seconds(10);
// Before that, for who still reads logs (ClusterMonitor::AwaitReaders takes 10 s at most).
constexpr absl::Duration kLongestReaders = absl::Seconds(15);

Severity SeverityOf(const std::string& level) {
  if (level == "debug") return Severity::kDebug;
  if (level == "warning") return Severity::kWarning;
  if (level == "error") return Severity::kError;
  return Severity::kInfo;
}

// Google Batch's first worker lingers for the next job.
absl::Duration LingerOf(const ConsumeOptions& options) {
  const bool first = ProcessEnvironment("BATCH_TASK_INDEX") == "0";
  const int seconds = options.shutdown_after_seconds;
  return absl::Seconds(first ? std::max(seconds, options.ft_shutdown_after_seconds) : seconds);
}

std::string LocalOwner() {
  char host[256] = "localhost";
  (void)gethostname(host, sizeof host - 1);
  return absl::StrCat(host, ":", getpid());
}

StopTime StopTimeOf(const ConsumeOptions& options) {
  return {absl::Seconds(options.stop_within_seconds)};
}

absl::Duration WatchdogPeriod(const ConsumeOptions& options) {
  return absl::Minutes(options.watchdog_minutes);
}

ExecutorOptions ExecutorOptionsOf(const ConsumeOptions& options, const std::string& machine_type) {
  ExecutorOptions executor;
  // The command and the links into the cache are used from other folders: absolute paths only.
  executor.tasks_dir = options.tasks_dir;
  executor.keep_tasks = options.keep_tasks;
  executor.transfers = CountWithinDescriptors(options.transfers, kTransferDescriptors);
  executor.grace = absl::Seconds(options.grace_seconds);
  executor.stop_time = StopTimeOf(options);
  if (options.task_timeout_seconds > 0) {
    executor.time_limit = absl::Seconds(options.task_timeout_seconds);
  }
  executor.core_dumps = options.core_dumps;
  executor.machine_type = machine_type;
  executor.heartbeat_interval =
      std::min(WatchdogPeriod(options) / 4, absl::Duration(absl::Seconds(2)));
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  CommandEnvironment environment = MakeCommandEnvironment(
      variables, {.withhold = options.withhold_env, .pass = options.pass_env});
  executor.environment = std::move(environment.variables);
  executor.withheld_variables = std::move(environment.withheld);
  return executor;
}

// However the folder is spelt, and through whatever links it is reached, it gets one name: what a
// killed worker left is found by it.
absl::Status MakeAbsoluteFolder(std::string& path) {
  RETURN_IF_ERROR(MakeFolders(path));
  ASSIGN_OR_RETURN(path, RealPath(path));
  if (access(path.c_str(), W_OK | X_OK) != 0) return ErrnoError(errno, path);
  return absl::OkStatus();
}

// `signal` is the one that stopped the worker; 0: it was preempted.
int StoppedCode(int signal) { return signal == 0 ? kExitPreempted : 128 + signal; }

int ExitCodeOf(Consumer::End end, int signal) {
  if (end == Consumer::End::kMachineUnfit) return kExitMachineUnfit;
  if (end == Consumer::End::kStopped) return StoppedCode(signal);
  if (end == Consumer::End::kQueueBroken) return kExitTasksFile;
  return kExitDone;
}

// What both kinds of queue need besides the queue itself.
class Worker {
 public:
  // Borrows all.
  Worker(const ConsumeOptions& options, PosixProcessRunner& runner, GoogleCloud& cloud,
         Clock& clock, Vitals& vitals, const Log& log)
      : options_(options),
        runner_(runner),
        cloud_(cloud),
        clock_(clock),
        vitals_(vitals),
        log_(log),
        local_(options.durable, &vitals.heartbeat),
        router_(local_, &cloud.store()),
        store_(router_, vitals),
        cache_(options.cache_dir, store_, clock, &vitals, &log),
        signals_(stop_, drain_, log.sink()),
        deadline_(stop_, [this] { return StepsOfStop(StopTimeOf(options_)); }) {}

  // Cancelled when the worker must go; `signal` is what did it, 0 for a preemption.
  CancelToken& stop() { return stop_; }
  int signal() const { return signals_.received(); }
  // Cancelled when the VM is preempted, and `stop` with it.
  CancelToken& preempted() { return preempted_; }
  // Cancelled when nothing more is to be begun.
  const CancelToken& drain() const { return drain_; }
  Heartbeat& heartbeat() { return vitals_.heartbeat; }
  // Ends what dead workers have left running, and removes their folders, until `cancel`.
  void EndLeftBehind(const CancelToken& cancel) {
    left_behind_ =
        !RemoveStaleTaskFolders(options_.tasks_dir, Activity(cancel, &vitals_.heartbeat), log_);
  }
  // A new task must not run beside processes of an earlier one.
  absl::Status CheckNothingLeft() {
    if (left_behind_) EndLeftBehind(drain_);
    if (left_behind_) {
      return absl::UnavailableError(
          "processes of a killed worker still run; no task is claimed until they end");
    }
    return runner_.EndSurvivors();
  }
  int StoppedBeforeAnyClaim() const {
    return stop_.cancelled() ? StoppedCode(signal()) : int{kExitDone};
  }

  // Calls `hold` before each task: it keeps the claim's lock until the task's command is dead, even
  // if this process ends first. `hand_back` is null if a claim ends with its worker. `monitor` is
  // null if the worker has no Monitor.
  int Run(Queue& bare_queue, TimedHandBack* hand_back, ClusterMonitor* monitor,
          ConsumerOptions consumer_options, const std::string& machine_type,
          absl::FunctionRef<void()> hold) {
    consumer_options.drain = &drain_;
    consumer_options.stop_time = StopTimeOf(options_);
    const Activity making_room(drain_, &vitals_.heartbeat);
    SpaceGuard space({.tasks_dir = options_.tasks_dir,
                      .cache_dir = options_.cache_dir,
                      .min_free_bytes = options_.min_free_bytes,
                      .cache_bytes = options_.cache_bytes},
                     making_room, log_);
    consumer_options.check_machine = [this, &space, monitor] {
      if (monitor != nullptr) monitor->DropOldLogs();  // which may hold the space that is missing
      absl::Status fit = CheckNothingLeft();
      if (fit.ok()) fit = space.Check();
      vitals_.machine_unfit = !fit.ok();
      return fit;
    };
    MeteredQueue queue(bare_queue, clock_, vitals_);
    SystemClock watchdog_clock;
    const absl::Duration period = WatchdogPeriod(options_);
    const Watchdog watchdog(
        period, watchdog_clock, vitals_,
        RespondToStalls(period, [&queue] { return queue.held(); }, hand_back, log_.sink()));
    const StopDeadline hung_stop(stop_, [this, &queue, hand_back] {
      return std::vector{HandBackIfHung(StopTimeOf(options_), queue, hand_back)};
    });
    // Google ends a preempted VM after 30 s, even with a longer --stopWithin, and even if a signal
    // came first.
    const StopDeadline preemption(preempted_, [this, &queue, hand_back] {
      const StopTime time{std::min(StopTimeOf(options_).within, kStopWithin)};
      std::vector<StopStep> steps = StepsOfStop(time);
      steps.insert(steps.begin() + 1, HandBackIfHung(time, queue, hand_back));
      return steps;
    });
    EndLeftBehind(stop_);
    ExecutorOptions executor_options = ExecutorOptionsOf(options_, machine_type);
    executor_options.on_log = [this, monitor](const std::string& task, const std::string& path) {
      const absl::Status shown = monitor == nullptr ? absl::OkStatus() : monitor->Show(task, path);
      if (!shown.ok()) log_.WithTask(task).Warning("Monitor: ", shown.message());
    };
    Executor executor(std::move(executor_options), clock_, runner_, store_, cache_, log_);
    Consumer consumer(std::move(consumer_options), clock_, queue, stop_, log_);
    const Consumer::End end = consumer.Run(
        [&](const Claim& claim, const CancelToken& cancel, ConfirmClaim confirm_claim) {
          hold();
          // A sibling that was killed may have left its command running beside this attempt.
          if (claim.attempt > 1) EndLeftBehind(cancel);
          vitals_.task_running = true;
          cloud_.storage_access().BeginTask();
          Outcome outcome = executor.Execute(claim.task, claim.attempt,
                                             Activity(cancel, &vitals_.heartbeat), confirm_claim);
          vitals_.task_running = false;
          if (outcome.machine_fault) vitals_.machine_faults.Add();
          if (outcome.kind == Outcome::Kind::kClaimLost) vitals_.claim_lost.Add();
          if (monitor != nullptr) monitor->End(claim.task.id);
          return outcome;
        });
    log_.Info(SummaryLine(vitals_));
    if (end == Consumer::End::kQueueEmpty) log_.Info("no task is left");
    if (end == Consumer::End::kDrained) log_.Info("drained: no more tasks are claimed");
    // What there was no time for before the hand-back.
    if (end == Consumer::End::kStopped) EndLeftBehind(CancelToken());
    return ExitCodeOf(end, signal());
  }

 private:
  std::vector<StopStep> StepsOfStop(StopTime time) {
    return {{time.hurry(), [this] { stop_.Hurry(); }},
            {time.end(), [this] { EndUnfinished(log_.sink(), StoppedCode(signal())); }}};
  }
  StopStep HandBackIfHung(StopTime time, const MeteredQueue& queue, TimedHandBack* hand_back) {
    return {time.hand_back(), [this, time, &queue, hand_back] {
              const std::optional<Claim> claim = queue.held_in_work();
              if (!claim || hand_back == nullptr) return;
              EndHungStop(*hand_back, *claim, absl::StrCat(stop_.reason(), "; the worker hung"),
                          time.end() - time.hand_back(), log_.sink(), StoppedCode(signal()));
            }};
  }

  const ConsumeOptions& options_;
  PosixProcessRunner& runner_;
  GoogleCloud& cloud_;
  Clock& clock_;
  Vitals& vitals_;
  const Log& log_;
  LocalStore local_;
  StoreRouter router_;
  MeteredStore store_;
  ContentCache cache_;
  CancelToken preempted_;
  CancelToken stop_{&preempted_};
  CancelToken drain_{&stop_};
  bool left_behind_ = false;  // processes that EndLeftBehind could not end
  const StopSignals signals_;
  const StopDeadline deadline_;
};

// Null if it is not wanted, or cannot be had: then the work goes on without.
std::unique_ptr<HealthServer> StartHealthServer(const ConsumeOptions& options, const Vitals& vitals,
                                                const CancelToken& drain, Clock& clock,
                                                const Log& log) {
  if (options.health_port == 0) return nullptr;
  const bool remote = options.tasks_file.empty();
  auto server = HealthServer::Start(options.health_address, options.health_port,
                                    [&vitals, &drain, &clock, remote](absl::string_view path) {
                                      return AnswerHealth(path, {.vitals = vitals,
                                                                 .now = clock.Now(),
                                                                 .version = WorkerVersion(),
                                                                 .stopping = drain.cancelled(),
                                                                 .queue_is_remote = remote});
                                    });
  if (server.ok()) return *std::move(server);
  log.Warning("--healthPort: ", server.status().message(), "; there are no health checks");
  return nullptr;
}

int ConsumeTasksFile(const ConsumeOptions& options, TasksFile file, TasksFileWatch& watch,
                     Worker& worker, PosixProcessRunner& runner, Clock& clock, const Log& log) {
  auto queue = FileQueue::Open(
      options.tasks_file, std::move(file.tasks),
      {.owner = LocalOwner(), .durable = options.durable, .watch = &watch, .log = &log}, clock);
  if (!queue.ok()) {
    log.Error(queue.status().message());
    return kExitTasksFile;
  }
  bool held = false;
  const auto hold_claim = [&] {
    if (held) return;
    const absl::Status holding = runner.HoldInLauncher((*queue)->lock_fd());
    held = holding.ok();
    if (!held) log.Warning("launcher: ", holding.message());  // tried again with the next task
  };
  const int code =
      worker.Run(**queue, nullptr, nullptr, {.linger = LingerOf(options)}, "", hold_claim);
  return code == kExitDone && watch.has_problems() ? kExitTasksFile : code;
}

// Who we are to others.
absl::StatusOr<VmIdentity> FindIdentity(const ConsumeOptions& options, GoogleCloud& cloud,
                                        const CancelToken& cancel) {
  if (options.localhost) return VmIdentity{"localhost", "localhost", ""};
  auto identity = cloud.metadata().Identity(cancel);
  if (identity.ok()) return identity;
  return Annotate(identity.status(),
                  "cannot tell which VM this is (use --localhost where there is none)");
}

int ConsumeDatastore(const ConsumeOptions& options, Worker& worker, GoogleCloud& cloud,
                     Clock& clock, const Log& log) {
  const CancelToken& drain = worker.drain();
  auto project = FindProjectId(options.project_id, ProcessEnvironment, cloud.metadata(), drain);
  if (drain.cancelled()) return worker.StoppedBeforeAnyClaim();
  if (!project.ok()) {
    log.Error("--projectId: ", project.status().message());
    return kExitUsage;
  }
  const auto identity = FindIdentity(options, cloud, drain);
  if (drain.cancelled()) return worker.StoppedBeforeAnyClaim();
  if (!identity.ok()) {
    log.Error(identity.status().message());
    return kExitFailed;
  }
  log.Info("worker ", identity->owner, ", cluster ", options.cluster, ", project ", *project);
  std::optional<PreemptionWatch> preemption;
  if (!options.localhost) {
    preemption.emplace(cloud.metadata(), clock, worker.stop(), worker.preempted(), log);
  }
  DatastoreClient client(cloud.datastore_api(), *project,
                         {.stop = &worker.stop(),
                          .stop_time = {std::min(StopTimeOf(options).within, kStopWithin)},
                          .heartbeat = &worker.heartbeat()});
  std::optional<ClusterMonitor> monitor;
  if (options.port != 0) {
    monitor.emplace(identity->address, options.port, client, clock, worker.stop(), log);
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
      .before_hand_back = [&] { worker.EndLeftBehind(worker.stop()); },
      .memory_mark = [] { return OomMark(); },
      .memory_since = [](const std::string& mark) { return OomKillsSince(mark); }};
  DatastoreQueue queue(queue_options, client, clock, log, journal->get());
  DatastoreQueue hand_back_queue(queue_options, client, clock, log);
  TimedHandBack hand_back(hand_back_queue);
  const int code = worker.Run(queue, &hand_back, monitor ? &*monitor : nullptr,
                              {.linger = LingerOf(options),
                               .watch_period = kClaimWatchPeriod,
                               .record_patience = kRecordPatience},
                              identity->machine_type, [] {});
  EndByAlarm(kLongestFarewell + kLongestReaders, code);
  if (monitor) monitor->AwaitReaders(worker.stop());
  EndByAlarm(kLongestFarewell, code);
  return code;
}

// Throws std::system_error if a thread that every worker needs cannot be started.
int RunWorker(const ConsumeOptions& options, TasksFile file, TasksFileWatch& watch,
              PosixProcessRunner& runner, Clock& clock, Vitals& vitals, const Log& log) {
  GoogleCloud cloud(ProcessEnvironment, clock, &vitals, &log,
                    {.permission_patience = absl::Seconds(options.permission_patience_seconds),
                     .project_id = options.project_id});
  Worker worker(options, runner, cloud, clock, vitals, log);
  const auto health = StartHealthServer(options, vitals, worker.drain(), clock, log);
  const int code = options.tasks_file.empty() ? ConsumeDatastore(options, worker, cloud, clock, log)
                                              : ConsumeTasksFile(options, std::move(file), watch,
                                                                 worker, runner, clock, log);
  EndByAlarm(kLongestFarewell, code);
  return code;
}

}  // namespace

int RunConsume(ConsumeOptions options) {
  BlockSignals();
  // First of all: the launcher must be a small process (see process/launcher.h).
  auto runner = PosixProcessRunner::Start("/proc", /*relaunch=*/true);
  PrepareThreadStacks();
  SystemClock system_clock;
  Vitals vitals;
  // Four times a period: one beat that comes late is no stall yet.
  BeatingClock clock(system_clock, vitals.heartbeat, WatchdogPeriod(options) / 4);
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
  for (std::string* folder : {&options.tasks_dir, &options.cache_dir}) {
    const absl::Status made = MakeAbsoluteFolder(*folder);
    if (made.ok()) continue;
    log.Error(folder == &options.tasks_dir ? "--tasksDir: " : "--cacheDir: ", made.message());
    return kExitMachineUnfit;
  }
  if (options.port != 0 && !options.tasks_file.empty()) {
    log.Warning(
        "--port: the Monitor needs a cluster, whose keys it uses; tasks of a file run without");
  }
  try {
    return RunWorker(options, std::move(file), watch, **runner, clock, vitals, log);
  } catch (const std::system_error& error) {
    // The threads that every worker needs start before the first claim.
    log.Error("no threads could be started: ", error.what(),
              "; raise the limit on processes (ulimit -u, or the pids limit of the container)");
    return kExitMachineUnfit;
  }
}

}  // namespace sparkles
