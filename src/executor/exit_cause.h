// Finds out why a command ended: the `cause` in result.json.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/usage.h"
#include "process/oom_watch.h"
#include "process/process_runner.h"
#include "task/task_result.h"

namespace sparkles {

// What the worker knows in addition to the exit status.
struct ExitContext {
  OomKills oom = {};
  DiskSpace least_free = {};  // minimum on the task's file system while the command ran
  bool cancelled = false;     // this worker ended the command
  absl::Duration no_progress_timeout = absl::InfiniteDuration();  // of the command
};

// Describes the kills in the worker's control group: "out of memory: ...".
std::string LackOfMemory(const OomKills& oom);

// The reason for the end of a command that has made no progress for `timeout`, with a remedy.
std::string NoProgressReason(absl::Duration timeout);

// nullopt for a command that ended with exit code 0 before it reached a limit.
std::optional<ExitCause> FindExitCause(const CommandExit& exit, const ExitContext& known);

// A machine fault if the command, or its shell's last program, died of SIGXFSZ and this worker has
// a file size limit (ulimit -f), which the command inherits. OK otherwise.
absl::Status CheckFileSizeLimit(int wait_status);

}  // namespace sparkles
