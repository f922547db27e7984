// Why a command ended as it did, as far as anybody can know: result.json's `cause`.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/usage.h"
#include "process/oom_watch.h"
#include "process/process_runner.h"
#include "task/task_result.h"

namespace sparkles {

// What is known besides the exit.
struct Circumstances {
  OomKills oom = {};
  DiskSpace least_free = {};  // of the task's file system, while the command ran
  bool cancelled = false;     // this worker asked it to end
};

// Describes kills in our control group: "out of memory: ...".
std::string LackOfMemory(const OomKills& oom);

// Nothing for a command that ended with 0 in its time.
std::optional<CauseOfDeath> FindCauseOfDeath(const CommandExit& exit, const Circumstances& known);

// A machine fault if the command, or its shell's last program, died of SIGXFSZ and this worker has
// a file size limit (ulimit -f), which the command inherits. OK otherwise.
absl::Status CheckFileSizeLimit(int wait_status);

}  // namespace sparkles
