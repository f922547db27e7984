// Sends the log of a running task to its object. So the log can be read before the task ends, and
// most of it survives the death of the machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/activity.h"
#include "base/cancel.h"
#include "base/log.h"
#include "base/thread.h"
#include "executor/executor.h"
#include "executor/log_sender.h"
#include "task/confirm_claim.h"
#include "task/task_result.h"

namespace sparkles {

// From its construction to Stop, a thread sends the log every ExecutorOptions::log_every, if the
// object's store has versions (gs://). A send that fails is at most a warning in the worker's log.
// All methods are for the thread that made the object.
class LiveLog {
 public:
  // Borrows all but `log`, which is for messages. `fd` is the task's log, `url` its object, which
  // may be empty. `cancel` is the token of the task, and ends the sends.
  LiveLog(Executor& executor, int fd, const std::string& url, const CancelToken& cancel,
          ConfirmClaim confirm_claim, const Log& log);

  // Ends a running send and the thread.
  void Stop();

  // Stores the whole log (LogSender::Deliver), after Stop. `outputs` were stored before: none of
  // them is replaced.
  absl::StatusOr<ObjectInfo> Deliver(const std::vector<DeliveredFile>& outputs,
                                     const UploadOptions& options, const Activity& activity);

 private:
  void Run(const CancelToken& stop);
  // False if nothing is left to send.
  bool SendOnce(const CancelToken& stop);
  void Report(const absl::Status& error);

  Executor& executor_;
  const std::string url_;
  const ConfirmClaim confirm_claim_;
  const Log log_;
  LogSender sender_;
  std::optional<Housekeeper> thread_;
};

}  // namespace sparkles
