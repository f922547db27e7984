#include "executor/executor.h"

#include "executor/task_run.h"

namespace sparkles {

Outcome Executor::Execute(const Task& task, int attempt, const Activity& activity,
                          ConfirmClaim confirm_claim) {
  return TaskRun(*this, task, attempt, activity, confirm_claim).Run();
}

}  // namespace sparkles
