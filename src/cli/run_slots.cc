#include "cli/run_slots.h"

#include <signal.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "base/worker_metrics.h"
#include "cli/cluster_monitor.h"
#include "cli/consume_setup.h"
#include "cli/google_cloud.h"
#include "cli/run_view.h"
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

// With an ignored SIGCHLD, inherited from the parent, the kernel would reap the slots by itself.
void ReceiveChildSignals() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, nullptr);
}

// With a view, the lines of the slots must come through the parent.
std::function<void(absl::string_view line)> PrintAboveView(const Log& log) {
  return [&log](absl::string_view line) { log.sink().WriteLine(absl::StripSuffix(line, "\n")); };
}

std::vector<const WorkerMetrics*> MetricsOf(const SlotBoard& board) {
  std::vector<const WorkerMetrics*> metrics;
  for (int slot = 0; slot < board.slots(); ++slot) metrics.push_back(&board.metrics(slot));
  return metrics;
}

void LogEnd(const WorkerMetrics& total, int code, WorkerStop& stop, const Log& log) {
  log.Info(SummaryLine(total));
  if (code != kExitDone) return;
  log.Info(stop.drain().cancelled() ? "drained: no more tasks are claimed" : "no task is left");
}

}  // namespace

int RunSlots(const ConsumeOptions& options, SlotBoard& board, std::vector<FileTask> tasks,
             Clock& clock, const Log& log) {
  LowerOomScore();  // the slots inherit the score
  ReceiveChildSignals();
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
  std::optional<RunView> view;
  if (HasView(options, log.sink())) {
    view.emplace(options, tasks, MetricsOf(board), stop, clock, log.sink());
  }
  tasks = {};
  Supervisor supervisor(
      {.start =
           [&options, &limit](const SlotPlace& place, SlotDescriptors descriptors) {
             descriptors.limit = *limit;
             return StartSlot(place, options.arguments, descriptors);
           },
       .on_line = view ? PrintAboveView(log) : nullptr,
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
  view.reset();
  const int code = stop.token().cancelled() ? stop.exit_code() : highest;
  WorkerMetrics total;
  board.AddTo(supervisor.Live(), total);
  LogEnd(total, code, stop, log);
  if (monitor != nullptr) {
    StartExitTimer(kMaxExitTime + ClusterMonitor::kMaxReaderWait, code);
    monitor->AwaitReaders(stop.token());
  }
  StartExitTimer(kMaxExitTime, code);
  return code;
}

}  // namespace sparkles
