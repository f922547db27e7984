#include "cli/run_tasks.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/activity.h"
#include "base/descriptors.h"
#include "executor/command_environment.h"
#include "executor/executor.h"
#include "executor/space_guard.h"
#include "gcp/environment.h"
#include "monitor/health.h"
#include "queue/metered_queue.h"
#include "worker/hung_stop.h"
#include "worker/stall_response.h"
#include "worker/watchdog.h"

extern char** environ;

namespace sparkles {
namespace {

// Open descriptors of one transfer, between two directories or to a bucket.
constexpr int kTransferDescriptors = 6;

// Google Batch's first worker lingers for the next job.
absl::Duration LingerOf(const ConsumeOptions& options) {
  const bool first = ProcessEnvironment("BATCH_TASK_INDEX") == "0";
  const int seconds = options.shutdown_after_seconds;
  return absl::Seconds(first ? std::max(seconds, options.ft_shutdown_after_seconds) : seconds);
}

ExecutorOptions ExecutorOptionsOf(const WorkerParts& worker, const TaskSource& source) {
  const ConsumeOptions& options = worker.options;
  ExecutorOptions executor;
  // Commands run in another directory, and follow links into the cache: the paths are absolute.
  executor.tasks_dir = options.tasks_dir;
  executor.keep_tasks = options.keep_tasks;
  executor.transfers = CountWithinDescriptors(options.transfers, kTransferDescriptors);
  executor.grace = absl::Seconds(options.grace_seconds);
  executor.stop_time = worker.stop.time();
  if (options.task_timeout_seconds > 0) {
    executor.time_limit = absl::Seconds(options.task_timeout_seconds);
  }
  if (options.no_progress_timeout_seconds > 0) {
    executor.no_progress_timeout = absl::Seconds(options.no_progress_timeout_seconds);
  }
  executor.core_dumps = options.core_dumps;
  executor.log_every = absl::Seconds(options.log_every_seconds);
  executor.checkpoint = {.every = absl::Seconds(options.checkpoint_every_seconds),
                         .counters = &worker.metrics.checkpoints};
  executor.machine_type = source.machine_type;
  executor.heartbeat_interval =
      std::min(WatchdogPeriod(options) / 4, absl::Duration(absl::Seconds(2)));
  executor.on_log = [&worker, monitor = source.monitor](const std::string& task,
                                                        const std::string& path) {
    const absl::Status shown = monitor == nullptr ? absl::OkStatus() : monitor->AddLog(task, path);
    if (!shown.ok()) worker.log.WithTask(task).Warning("Monitor: ", shown.message());
  };
  executor.group_is_shared = worker.slot != nullptr;
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    // For the worker only. A worker in a task does not use the whole machine unasked.
    const bool for_worker = absl::StartsWith(*variable, "SPARKLES_SLOT=") ||
                            absl::StartsWith(*variable, "SPARKLES_SLOTS=");
    if (!for_worker) variables.emplace_back(*variable);
  }
  const int slot = worker.slot == nullptr ? 0 : worker.slot->place().number;
  variables.push_back(absl::StrCat("SPARKLES_SLOT=", slot));
  CommandEnvironment environment = MakeCommandEnvironment(
      variables, {.withhold = options.withhold_env, .pass = options.pass_env});
  executor.environment = std::move(environment.variables);
  executor.withheld_variables = std::move(environment.withheld);
  return executor;
}

SpaceOptions SpaceOptionsOf(const WorkerParts& worker) {
  return {.tasks_dir = worker.options.tasks_dir,
          .cache_dir = worker.options.cache_dir,
          .min_free_bytes = worker.options.min_free_bytes,
          .cache_bytes = worker.options.cache_bytes};
}

// Called before each claim. A new task must not run beside processes of an earlier one.
absl::Status CheckMachine(const WorkerParts& worker, LogPublisher* monitor, SpaceGuard& space) {
  if (monitor != nullptr) monitor->DropOldLogs();  // old logs may use the missing disk space
  absl::Status fit = worker.crash_cleanup.Check(worker.stop.drain());
  if (fit.ok()) fit = worker.runner.EndSurvivors();
  if (fit.ok()) fit = space.Check();
  worker.metrics.machine_unfit = !fit.ok();
  return fit;
}

Outcome RunTask(const WorkerParts& worker, const TaskSource& source, Executor& executor,
                const Claim& claim, const CancelToken& cancel, ConfirmClaim confirm_claim) {
  source.before_task();
  // If another worker was killed, the command of the earlier attempt may still run.
  if (claim.attempt > 1) worker.crash_cleanup.End(cancel);
  worker.metrics.tasks_running = 1;
  worker.metrics.current_task.Begin(claim.task.id, worker.clock.Now());
  worker.cloud.storage_access().BeginTask();
  Outcome outcome = executor.Execute(claim.task, claim.attempt,
                                     Activity(cancel, &worker.metrics.heartbeat), confirm_claim);
  worker.metrics.current_task.End();
  worker.metrics.tasks_running = 0;
  if (outcome.machine_fault) worker.metrics.machine_faults.Add();
  if (outcome.kind == Outcome::Kind::kClaimLost) worker.metrics.claim_lost.Add();
  if (source.monitor != nullptr) source.monitor->EndLog(claim.task.id);
  return outcome;
}

// The parent of slots logs the same for all of them.
void LogEnd(const WorkerParts& worker, Consumer::End end) {
  if (worker.slot != nullptr) return;
  worker.log.Info(SummaryLine(worker.metrics));
  if (end == Consumer::End::kQueueEmpty) worker.log.Info("no task is left");
  if (end == Consumer::End::kDrained) worker.log.Info("drained: no more tasks are claimed");
}

}  // namespace

absl::Duration WatchdogPeriod(const ConsumeOptions& options) {
  return absl::Minutes(options.watchdog_minutes);
}

int RunTasks(const WorkerParts& worker, const TaskSource& source) {
  LogSink& sink = worker.log.sink();
  MeteredQueue queue(source.queue, worker.clock, worker.metrics);
  SystemClock watchdog_clock;
  const absl::Duration period = WatchdogPeriod(worker.options);
  const Watchdog watchdog(
      period, watchdog_clock, worker.metrics,
      RespondToStalls(period, [&queue] { return queue.held(); }, source.hand_back, sink));
  const HungStopGuard hung_stop(worker.stop, queue, source.hand_back, sink);
  worker.crash_cleanup.End(worker.stop.token());
  const Activity making_room(worker.stop.drain(), &worker.metrics.heartbeat);
  SpaceGuard space(SpaceOptionsOf(worker), making_room, worker.log);
  Executor executor{.options = ExecutorOptionsOf(worker, source),
                    .clock = worker.clock,
                    .runner = worker.runner,
                    .store = worker.store,
                    .cache = worker.cache,
                    .current = worker.metrics.current_task,
                    .log = worker.log,
                    .gpus = worker.gpus};
  ConsumerOptions consumer_options = source.consumer;
  consumer_options.linger = LingerOf(worker.options);
  consumer_options.check_machine = [&] { return CheckMachine(worker, source.monitor, space); };
  consumer_options.drain = &worker.stop.drain();
  consumer_options.stop_time = worker.stop.time();
  if (worker.slot != nullptr) consumer_options.streak = &worker.slot->streak();
  Consumer consumer(std::move(consumer_options), worker.clock, queue, worker.stop.token(),
                    worker.log);
  const Consumer::End end =
      consumer.Run([&](const Claim& claim, const CancelToken& cancel, ConfirmClaim confirm_claim) {
        return RunTask(worker, source, executor, claim, cancel, confirm_claim);
      });
  LogEnd(worker, end);
  // A stop leaves no time for this before the hand-back.
  if (end == Consumer::End::kStopped) worker.crash_cleanup.End(CancelToken());
  return worker.stop.ExitCodeOf(end);
}

}  // namespace sparkles
