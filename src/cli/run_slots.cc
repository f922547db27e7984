#include "cli/run_slots.h"

#include <signal.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "base/status.h"
#include "base/worker_metrics.h"
#include "cli/cluster_monitor.h"
#include "cli/consume_setup.h"
#include "cli/google_cloud.h"
#include "cli/version.h"
#include "gcp/datastore_client.h"
#include "gcp/environment.h"
#include "gcp/preemption_watch.h"
#include "monitor/health.h"
#include "process/oom_score.h"
#include "slots/slot_process.h"
#include "slots/supervisor.h"
#include "worker/exit_code.h"
#include "worker/exit_timer.h"
#include "worker/stop_deadline.h"
#include "worker/worker_stop.h"

namespace sparkles {
namespace {

// Limit from the end of the last slot to the end of the process.
constexpr absl::Duration kMaxExitTime = absl::Seconds(10);

// The parts of a cluster that all slots share.
class SharedCluster {
 public:
  SharedCluster(const ConsumeOptions& options, const ClusterPlace& place, GoogleCloud& cloud,
                WorkerStop& stop, Clock& clock, const Log& log)
      : client_(cloud.datastore_api(), place.project,
                {.stop = &stop.token(), .stop_time = stop.time().OnPreemption()}) {
    if (!options.localhost) {
      preemption_.emplace(cloud.metadata(), clock, stop.token(), stop.preempted(), log);
    }
    if (options.port != 0) {
      monitor_.emplace(place.identity.address, options.port, client_, clock, stop.token(), log);
    }
  }

  // Null if there is no Monitor.
  ClusterMonitor* monitor() { return monitor_ ? &*monitor_ : nullptr; }

 private:
  DatastoreClient client_;
  std::optional<PreemptionWatch> preemption_;
  std::optional<ClusterMonitor> monitor_;
};

}  // namespace

int RunSlots(const ConsumeOptions& options, SlotBoard& board, Clock& clock, const Log& log) {
  // The slots inherit the score. With an ignored SIGCHLD, inherited from the parent, the kernel
  // would reap the slots by itself.
  LowerOomScore();
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, nullptr);
  GoogleCloud cloud(ProcessEnvironment, clock, nullptr, &log, {.project_id = options.project_id});
  WorkerStop stop({absl::Seconds(options.stop_within_seconds)}, log.sink());
  // The VM ends 30 s after the notice, even if --stopWithin is longer.
  const StopDeadline after_notice(stop.preempted(),
                                  [&stop] { return stop.StepsWithin(stop.time().OnPreemption()); });
  const auto limit = PrepareForSlots(board.slots());
  if (!limit.ok()) {
    log.Error("--slots: ", limit.status().message());
    return kExitMachineUnfit;
  }
  std::optional<SharedCluster> cluster;
  if (options.tasks_file.empty()) {
    ClusterPlace place;
    if (const auto code = FindClusterPlace(options, cloud, stop, log, place)) return *code;
    LogClusterPlace(options, place, log);
    cluster.emplace(options, place, cloud, stop, clock, log);
  }
  ClusterMonitor* const monitor = cluster ? cluster->monitor() : nullptr;
  log.Info("starts ", board.slots(), " slots");
  Supervisor supervisor(
      {.start =
           [&options, &limit](const SlotPlace& place, SlotDescriptors descriptors) {
             descriptors.limit = *limit;
             return StartSlot(place, options.arguments, descriptors);
           },
       .logs = monitor,
       .monitor_address = [monitor] { return monitor == nullptr ? "" : monitor->Address(); }},
      board, {.stop = stop.token(), .preempted = stop.preempted(), .drain = stop.drain()}, log);
  const bool remote = options.tasks_file.empty();
  const auto health = StartHealthServer(
      options,
      [&](absl::string_view path) {
        WorkerMetrics total;
        board.AddTo(supervisor.Live(), total);
        return AnswerHealth(path, {.metrics = total,
                                   .now = clock.Now(),
                                   .version = WorkerVersion(),
                                   .stopping = stop.drain().cancelled(),
                                   .queue_is_remote = remote});
      },
      log);
  const int highest = supervisor.Run();
  const int code = stop.token().cancelled() ? stop.exit_code() : highest;
  WorkerMetrics total;
  board.AddTo(supervisor.Live(), total);
  log.Info(SummaryLine(total));
  if (code == kExitDone) {
    log.Info(stop.drain().cancelled() ? "drained: no more tasks are claimed" : "no task is left");
  }
  if (monitor != nullptr) {
    StartExitTimer(kMaxExitTime + ClusterMonitor::kMaxReaderWait, code);
    monitor->AwaitReaders(stop.token());
  }
  StartExitTimer(kMaxExitTime, code);
  return code;
}

}  // namespace sparkles
