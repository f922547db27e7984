#include "executor/executor.h"

#include <utility>

#include "executor/task_run.h"

namespace sparkles {

Executor::Executor(ExecutorOptions options, Clock& clock, ProcessRunner& runner, ObjectStore& store,
                   ContentCache& cache, Log log)
    : options_(std::move(options)),
      clock_(clock),
      runner_(runner),
      store_(store),
      cache_(cache),
      log_(std::move(log)),
      oom_(options_.proc_root) {}

Outcome Executor::Execute(const Task& task, int attempt, const Activity& activity,
                          ConfirmClaim confirm_claim) {
  const Log log = log_.WithTask(task.id);
  return TaskRun({options_, clock_, runner_, store_, cache_, log, confirm_claim, oom_}, task,
                 attempt, activity)
      .Run();
}

}  // namespace sparkles
