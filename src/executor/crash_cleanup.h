// Ends the processes that killed workers have left, and removes their task directories.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/cancel.h"
#include "base/heartbeat.h"
#include "base/log.h"

namespace sparkles {

// Used by one thread.
class CrashCleanup {
 public:
  // Borrows `heartbeat`, which beats for each entry that is removed.
  CrashCleanup(std::string tasks_dir, Heartbeat& heartbeat, const Log& log);

  // Ends the processes and removes the directories, until `cancel` is cancelled.
  void End(const CancelToken& cancel);

  // Unavailable if the last End left a process running, and another End does so, too.
  absl::Status Check(const CancelToken& cancel);

 private:
  const std::string tasks_dir_;
  Heartbeat& heartbeat_;
  const Log log_;
  bool processes_run_ = false;  // after the last End
};

}  // namespace sparkles
