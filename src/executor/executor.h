// Runs one claimed task from its spec to its outcome: stage, run, deliver.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/activity.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stop_time.h"
#include "executor/content_cache.h"
#include "process/oom_watch.h"
#include "process/process_runner.h"
#include "storage/object_store.h"
#include "task/confirm_claim.h"
#include "task/outcome.h"
#include "task/task.h"

namespace sparkles {

struct ExecutorOptions {
  std::string tasks_dir;
  bool keep_tasks = false;  // leave task folders where they are
  int transfers = 32;       // files in flight at a time
  absl::Duration grace;     // between TERM and KILL of a command that is to stop
  StopTime stop_time;       // of the worker
  absl::Duration time_limit = absl::InfiniteDuration();  // of the command, and of each script
  std::vector<std::string> environment;                  // "NAME=value", what every command gets
  std::vector<std::string> withheld_variables;           // names, for the task's log
  bool core_dumps = false;                               // of commands and scripts
  std::string machine_type;                              // for result.json; may be empty
  // Told of each task's log file as soon as it is there, before anything is written to it.
  std::function<void(const std::string& task_id, const std::string& path)> on_log;
  absl::Duration heartbeat_interval = absl::Milliseconds(500);  // while a command runs
  std::string proc_root = "/proc";  // has the counts of kills for lack of memory
};

class Executor {
 public:
  // Borrows everything but the options. Used by one thread.
  Executor(ExecutorOptions options, Clock& clock, ProcessRunner& runner, ObjectStore& store,
           ContentCache& cache, Log log);

  // Runs `task` to its end and returns what is to be recorded. Never throws and never ends the
  // worker, whatever the task is. `attempt` counts from 1. Blocks until the task's processes are
  // gone; the outcome is not kComplete if some survive. kComplete means that everything listed in
  // result.json was acknowledged by the store.
  // `confirm_claim` is asked before each kind of delivery, and before an object is replaced.
  Outcome Execute(const Task& task, int attempt, const Activity& activity,
                  ConfirmClaim confirm_claim);

 private:
  const ExecutorOptions options_;
  Clock& clock_;
  ProcessRunner& runner_;
  ObjectStore& store_;
  ContentCache& cache_;
  const Log log_;
  OomWatch oom_;
};

}  // namespace sparkles
