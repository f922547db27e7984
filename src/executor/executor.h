// Runs a claimed task: fetches its inputs, runs its command, delivers its outputs.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/activity.h"
#include "base/clock.h"
#include "base/current_task.h"
#include "base/log.h"
#include "base/stop_time.h"
#include "checkpoint/task_checkpoint.h"
#include "executor/content_cache.h"
#include "executor/live_log_notes.h"
#include "process/gpu_sampler.h"
#include "process/oom_watch.h"
#include "process/process_runner.h"
#include "storage/object_store.h"
#include "task/confirm_claim.h"
#include "task/outcome.h"
#include "task/task.h"

namespace sparkles {

struct ExecutorOptions {
  std::string tasks_dir;
  bool keep_tasks = false;  // keep the task directories
  int transfers = 32;       // files that move at a time
  absl::Duration grace;     // between TERM and KILL of a command that must stop
  StopTime stop_time;       // of the worker
  absl::Duration time_limit = absl::InfiniteDuration();  // of the command, and of each script
  // Of the command, and of each script.
  absl::Duration no_progress_timeout = absl::InfiniteDuration();
  std::vector<std::string> environment;         // "NAME=value", for all commands
  std::vector<std::string> withheld_variables;  // names, for the task's log
  bool core_dumps = false;                      // of commands and scripts
  std::string machine_type;                     // for result.json; may be empty
  // Called with each task's log file when the file exists and is still empty.
  std::function<void(const std::string& task_id, const std::string& path)> on_log;
  absl::Duration heartbeat_interval = absl::Milliseconds(500);  // while a command runs
  absl::Duration log_every;  // between two sends of the log while a command runs; 0: no sends
  CheckpointOptions checkpoint;
  std::string proc_root = "/proc";  // has the counts of kills for lack of memory
  bool group_is_shared = false;     // see OomWatch
};

// The parts that all tasks of a worker use. Borrows all but the options and the log. Used by one
// thread.
struct Executor {
  const ExecutorOptions options;
  Clock& clock;
  ProcessRunner& runner;
  ObjectStore& store;
  ContentCache& cache;
  CurrentTask& current;  // gets the phases of the task
  const Log log;
  GpuSampler* gpus = nullptr;  // null if the machine has no nvidia-smi
  OomWatch oom{options.proc_root, "/dev/kmsg", options.group_is_shared};
  LiveLogNotes live_log_notes{};
  // A refusal to remove a checkpoint was logged.
  std::atomic<bool> checkpoint_removal_refused = false;

  // Runs `task` to its end and returns the outcome to record. Does not throw. `attempt` counts from
  // 1. Blocks until the task's processes are gone. The outcome is not
  // kComplete if some of them survive. kComplete means that the store has acknowledged everything
  // that result.json lists.
  // `confirm_claim` is asked before each kind of delivery, and before an object is replaced.
  Outcome Execute(const Task& task, int attempt, const Activity& activity,
                  ConfirmClaim confirm_claim);
};

}  // namespace sparkles
