// Sends the log of a running task to its object in Cloud Storage. So the log can be read before the
// task ends, and most of the log survives the death of the machine.
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

// From the construction to Stop, a thread sends the log every ExecutorOptions::log_every, but not
// to file:// URLs. A send that fails is at most a warning in the worker's log. All methods are for
// the thread that made the object.
class LiveLog {
 public:
  // Borrows all but `log`, which is the worker's log. `fd` is the task's log, and `url` is the URL
  // of its object, or empty. `cancel` is the token of the task, and ends the sends.
  LiveLog(Executor& executor, int fd, const std::string& url, const CancelToken& cancel,
          ConfirmClaim confirm_claim, const Log& log);

  // Ends a running send and the thread.
  void Stop();

  // Calls Stop, and stores the whole log (LogSender::Deliver). `outputs` were stored before. If one
  // of them has the name URL.sparkles-part, the log is sent without a part, so that the output
  // stays.
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
