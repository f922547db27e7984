// consume: the composition root. Objects are built as locals, top to bottom, and borrowed upwards.
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/keep_alive_clock.h"
#include "base/log.h"
#include "base/status.h"
#include "base/worker_metrics.h"
#include "cli/cluster_monitor.h"
#include "cli/commands.h"
#include "cli/consume_setup.h"
#include "cli/google_cloud.h"
#include "cli/run_slots.h"
#include "cli/run_tasks.h"
#include "cli/run_view.h"
#include "cli/version.h"
#include "executor/content_cache.h"
#include "executor/crash_cleanup.h"
#include "gcp/datastore_client.h"
#include "gcp/environment.h"
#include "gcp/preemption_watch.h"
#include "monitor/health.h"
#include "monitor/health_server.h"
#include "process/gpu_sampler.h"
#include "process/oom_watch.h"
#include "process/posix_process_runner.h"
#include "process/thread_stacks.h"
#include "queue/datastore_queue.h"
#include "queue/file_queue.h"
#include "queue/tasks_file_watch.h"
#include "slots/slot_board.h"
#include "slots/slot_count.h"
#include "slots/slot_link.h"
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

std::string LocalOwner() {
  char host[256] = "localhost";
  (void)gethostname(host, sizeof host - 1);
  return absl::StrCat(host, ":", getpid());
}

// Slots report changes of their tasks file once.
std::function<bool(absl::string_view)> NewsFilter(SlotLink* slot) {
  if (slot == nullptr) return [](absl::string_view) { return true; };
  return [slot](absl::string_view message) { return slot->IsNews(message); };
}

int ConsumeTasksFile(const WorkerParts& worker, TasksFile file, TasksFileWatch& watch) {
  const ConsumeOptions& options = worker.options;
  auto queue = FileQueue::Open(options.tasks_file, std::move(file.tasks),
                               {.owner = LocalOwner(),
                                .durable = options.durable,
                                .watch = &watch,
                                .log = &worker.log,
                                .is_news = NewsFilter(worker.slot)},
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

int ConsumeDatastore(const WorkerParts& worker) {
  const ConsumeOptions& options = worker.options;
  GoogleCloud& cloud = worker.cloud;
  WorkerStop& stop = worker.stop;
  const Log& log = worker.log;
  ClusterPlace place;
  if (const auto code = FindClusterPlace(options, cloud, stop, log, place)) return *code;
  std::optional<PreemptionWatch> preemption;
  std::optional<ClusterMonitor> monitor;
  if (worker.slot == nullptr) LogClusterPlace(options, place, log);
  if (worker.slot == nullptr && !options.localhost) {
    preemption.emplace(cloud.metadata(), worker.clock, stop.token(), stop.preempted(), log);
  }
  DatastoreClient client(cloud.datastore_api(), place.project,
                         {.stop = &stop.token(),
                          .stop_time = stop.time().OnPreemption(),
                          .heartbeat = &worker.metrics.heartbeat});
  LogPublisher* publisher = worker.slot;
  if (worker.slot == nullptr && options.port != 0) {
    monitor.emplace(place.identity.address, options.port, client, worker.clock, stop.token(), log);
    publisher = &*monitor;
  }
  const auto journal = ClaimJournal::Open(options.tasks_dir, options.durable);
  if (!journal.ok()) {
    log.Error("--tasksDir: ", journal.status().message());
    return kExitMachineUnfit;
  }
  const DatastoreQueueOptions queue_options = {
      .cluster = options.cluster,
      .owner = place.identity.owner,
      .monitor_address =
          [&] {
            if (worker.slot != nullptr) return worker.slot->MonitorAddress();
            return monitor ? monitor->Address() : "";
          },
      .project = place.project,
      .before_hand_back = [&] { worker.crash_cleanup.End(stop.token()); },
      .memory_mark = [] { return OomMark(); },
      .memory_since = [](const std::string& mark) { return OomKillsSince(mark); }};
  DatastoreQueue queue(queue_options, client, worker.clock, log, journal->get());
  DatastoreQueue hand_back_queue(queue_options, client, worker.clock, log);
  TimedHandBack hand_back(hand_back_queue);
  const int code = RunTasks(worker, {.queue = queue,
                                     .hand_back = &hand_back,
                                     .monitor = publisher,
                                     .consumer = {.watch_period = kClaimWatchPeriod,
                                                  .record_max_elapsed = kRecordMaxElapsed},
                                     .machine_type = place.identity.machine_type});
  if (monitor) {
    StartExitTimer(kMaxExitTime + ClusterMonitor::kMaxReaderWait, code);
    monitor->AwaitReaders(stop.token());
  }
  return code;
}

// Null on a machine without nvidia-smi. Forks a process, so it must come directly after the start
// of `runner`.
absl::StatusOr<std::unique_ptr<GpuSampler>> StartGpuSampler(PosixProcessRunner& runner,
                                                            GpuGauges& gauges) {
  const std::string nvidia_smi = FindNvidiaSmi(ProcessEnvironment("PATH"));
  if (nvidia_smi.empty()) return nullptr;
  RETURN_IF_ERROR(runner.StartSideProgram());
  return std::make_unique<GpuSampler>(
      *runner.side_program(), NvidiaSmiCommand(nvidia_smi, ProcessEnvironment("LD_LIBRARY_PATH")),
      gauges);
}

// Throws std::system_error if a thread that every worker needs cannot be started.
int RunWorker(const ConsumeOptions& options, TasksFile file, TasksFileWatch& watch, SlotLink* slot,
              PosixProcessRunner& runner, GpuSampler* gpus, Clock& clock, WorkerMetrics& metrics,
              const Log& log) {
  GoogleCloud cloud(ProcessEnvironment, clock, &metrics, &log,
                    {.permission_max_elapsed = absl::Seconds(options.permission_patience_seconds),
                     .project_id = options.project_id});
  LocalStore local(options.durable, &metrics.heartbeat);
  StoreRouter router(local, &cloud.store());
  MeteredStore store(router, metrics);
  ContentCache cache(options.cache_dir, store, clock, &metrics, &log);
  WorkerStop stop({absl::Seconds(options.stop_within_seconds)}, log.sink());
  const auto listener = slot == nullptr ? nullptr : slot->Listen(stop);
  const bool remote = options.tasks_file.empty();
  const auto answer = [&](absl::string_view path) {
    return AnswerHealth(path, {.metrics = metrics,
                               .now = clock.Now(),
                               .version = WorkerVersion(),
                               .stopping = stop.drain().cancelled(),
                               .queue_is_remote = remote});
  };
  std::optional<RunView> view;
  if (slot == nullptr && HasView(options, log.sink())) {
    view.emplace(options, file.tasks, std::vector<const WorkerMetrics*>{&metrics}, stop, clock,
                 log.sink());
  }
  const auto health = slot == nullptr ? StartHealthServer(options, answer, log) : nullptr;
  CrashCleanup crash_cleanup(options.tasks_dir, metrics.heartbeat, log);
  const WorkerParts worker = {.options = options,
                              .runner = runner,
                              .gpus = gpus,
                              .cloud = cloud,
                              .store = store,
                              .cache = cache,
                              .stop = stop,
                              .crash_cleanup = crash_cleanup,
                              .clock = clock,
                              .metrics = metrics,
                              .log = log,
                              .slot = slot};
  const int code = options.tasks_file.empty() ? ConsumeDatastore(worker)
                                              : ConsumeTasksFile(worker, std::move(file), watch);
  StartExitTimer(kMaxExitTime, code);
  return code;
}

LogSink MakeSink(const ConsumeOptions& options, Clock& clock) {
  return LogSink(clock, STDERR_FILENO,
                 options.log_format == "json" ? LogFormat::kJson : LogFormat::kText,
                 SeverityOf(options.log_level));
}

// The threads that every worker needs start before the first claim.
int ReportThreadError(const std::system_error& error, const Log& log) {
  log.Error("cannot start threads: ", error.what(),
            "; raise the limit on processes (ulimit -u, or the pids limit of the container)");
  return kExitMachineUnfit;
}

// Runs a whole worker, or one slot of a worker. `slot` is null for a whole worker.
int RunProcess(ConsumeOptions options, SlotLink* slot) {
  // Before all other objects: the launcher must be a small process (see process/launcher.h).
  auto runner = PosixProcessRunner::Start("/proc", /*relaunch=*/true);
  WorkerMetrics own_metrics;
  WorkerMetrics& metrics = slot == nullptr ? own_metrics : slot->metrics();
  absl::StatusOr<std::unique_ptr<GpuSampler>> gpus = nullptr;
  if (runner.ok()) gpus = StartGpuSampler(**runner, metrics.gpus);
  PrepareThreadStacks();
  SystemClock system_clock;
  // Four beats in a period: one late beat is not a stall.
  KeepAliveClock clock(system_clock, metrics.heartbeat, WatchdogPeriod(options) / 4);
  LogSink sink = MakeSink(options, clock);
  const Log log(sink);
  if (!runner.ok()) {
    log.Error("cannot start processes: ", runner.status().message());
    return kExitMachineUnfit;
  }
  if (!gpus.ok()) log.Warning("GPUs are not sampled: ", gpus.status().message());
  TasksFile file;
  TasksFileWatch watch(options.tasks_file, clock);
  const auto code = PrepareToConsume(options, watch, NewsFilter(slot), log, file);
  if (code) return *code;
  try {
    return RunWorker(options, std::move(file), watch, slot, **runner,
                     gpus.ok() ? gpus->get() : nullptr, clock, metrics, log);
  } catch (const std::system_error& error) {
    return ReportThreadError(error, log);
  }
}

int RunSlot(ConsumeOptions options, SlotOrigin origin) {
  auto link = SlotLink::Open(std::move(origin));
  if (!link.ok()) {
    std::cerr << "sparklesworker: a slot cannot reach its parent: " << link.status().message()
              << "\n";
    return kExitFailed;
  }
  const int count = (*link)->place().count;
  // The transfers of all slots together are those of one worker.
  options.transfers = (options.transfers + count - 1) / count;
  // The parent ends last.
  options.stop_within_seconds = std::max(options.stop_within_seconds - 1, kLeastStopSeconds);
  return RunProcess(std::move(options), link->get());
}

int RunParent(ConsumeOptions options, int count) {
  PrepareThreadStacks();
  SystemClock clock;
  LogSink sink = MakeSink(options, clock);
  const Log log(sink);
  const auto board = SlotBoard::Create(count);
  if (!board.ok()) {
    log.Error(board.status().message());
    return kExitMachineUnfit;
  }
  std::vector<FileTask> tasks;
  {
    TasksFile file;
    TasksFileWatch watch(options.tasks_file, clock);
    const auto is_news = [&board](absl::string_view message) { return (*board)->IsNews(message); };
    const auto code = PrepareToConsume(options, watch, is_news, log, file);
    if (code) return *code;
    tasks = std::move(file.tasks);
  }
  try {
    return RunSlots(options, **board, std::move(tasks), clock, log);
  } catch (const std::system_error& error) {
    return ReportThreadError(error, log);
  }
}

}  // namespace

int RunConsume(ConsumeOptions options, std::optional<SlotOrigin> slot) {
  BlockSignals();
  if (slot) return RunSlot(std::move(options), *std::move(slot));
  const auto slots = CountSlots(options.slots, options.slot_memory,
                                options.slots == "auto" ? ReadSlotMachine() : SlotMachine());
  if (!slots.ok()) {
    std::cerr << "sparklesworker consume: --slots: " << slots.status().message() << "\n";
    return kExitUsage;
  }
  return *slots == 1 ? RunProcess(std::move(options), nullptr)
                     : RunParent(std::move(options), *slots);
}

}  // namespace sparkles
