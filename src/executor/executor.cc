#include "executor/executor.h"

#include "executor/task_run.h"

namespace sparkles {

Outcome Executor::Execute(const Task& task, int attempt, const CancelToken& cancel,
                          ConfirmClaim confirm_claim) {
  return TaskRun(*this, task, attempt, cancel, confirm_claim).Run();
}

}  // namespace sparkles
