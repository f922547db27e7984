// The live view of `consume`: what it shows comes from the worker's metrics and the state file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/worker_metrics.h"
#include "cli/commands.h"
#include "queue/task_counter.h"
#include "queue/task_entry.h"
#include "view/live_view.h"
#include "view/slot_meter.h"
#include "view/view_facts.h"
#include "worker/worker_stop.h"

namespace sparkles {

// True if the worker must show a live view: the log goes to a terminal, and --view allows it.
bool HasView(const ConsumeOptions& options, const LogSink& sink);

// Shows the view while it exists. The environment tells what the terminal can show.
class RunView {
 public:
  // `tasks` are those of --tasksFile, if there is one. Otherwise only the tasks of the slots are
  // counted. `slots` are the metrics of the workers that run the tasks. Borrows `slots`, `stop`,
  // `clock` and `sink`.
  RunView(const ConsumeOptions& options, const std::vector<FileTask>& tasks,
          std::vector<const WorkerMetrics*> slots, WorkerStop& stop, Clock& clock, LogSink& sink);

 private:
  ViewFacts Facts();
  void CountTasks(absl::Time now, ViewFacts& facts);
  void CountOwnTasks(ViewFacts& facts) const;
  std::string Note() const;

  const std::vector<const WorkerMetrics*> slots_;
  WorkerStop& stop_;
  Clock& clock_;
  const absl::Time start_;
  std::optional<TaskCounter> counter_;
  std::vector<SlotMeter> meters_;
  LiveView view_;  // ends first: its thread uses the others
};

}  // namespace sparkles
