#include "executor/crash_cleanup.h"

#include <utility>

#include "base/activity.h"
#include "executor/task_directory.h"

namespace sparkles {

CrashCleanup::CrashCleanup(std::string tasks_dir, Heartbeat& heartbeat, const Log& log)
    : tasks_dir_(std::move(tasks_dir)), heartbeat_(heartbeat), log_(log) {}

void CrashCleanup::End(const CancelToken& cancel) {
  processes_run_ = !RemoveStaleTaskDirectories(tasks_dir_, Activity(cancel, &heartbeat_), log_);
}

absl::Status CrashCleanup::Check(const CancelToken& cancel) {
  if (processes_run_) End(cancel);
  if (!processes_run_) return absl::OkStatus();
  return absl::UnavailableError(
      "processes of a killed worker still run; no task is claimed until they end");
}

}  // namespace sparkles
