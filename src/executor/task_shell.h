// Runs the command and the scripts of one task, and notices stops and kills for lack of memory.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/activity.h"
#include "base/cancel.h"
#include "executor/executor.h"
#include "process/oom_watch.h"
#include "process/process_runner.h"

namespace sparkles {

// Used by one thread.
class TaskShell {
 public:
  // Borrows `executor` and `activity`. `environment`: "NAME=value".
  TaskShell(Executor& executor, std::vector<std::string> environment, const Activity& activity);

  // Runs `script` in `directory`, with its output to `output_fd`. An error if the shell cannot be
  // run: FailedPrecondition and InvalidArgument are errors of the task, all others are machine
  // faults.
  absl::StatusOr<CommandExit> Run(const std::string& script, const std::string& directory,
                                  int output_fd);

  // Why the worker ended a command or script that has reached a limit.
  std::string LimitReason(const CommandExit& exit) const;

  // Kills for lack of memory during the last Run.
  const OomKills& oom_kills() const { return oom_kills_; }

  // Describes the lack of memory if the worker was asked to stop within 2 s of such a kill in its
  // control group. Call it when the task ends early.
  std::optional<std::string> LackOfMemoryAtStop();

 private:
  void NoteStop();

  Executor& executor_;
  const std::vector<std::string> environment_;
  const Activity activity_;    // also looks for kills for lack of memory and for a stop
  const CancelToken& cancel_;  // of activity_
  OomKills oom_kills_;
  OomKills last_oom_kills_;                   // of the last Run with a kill in our control group
  const absl::Duration began_;                // MonotonicNow
  std::optional<absl::Duration> stopped_at_;  // MonotonicNow
  bool stopped_for_memory_ = false;
};

}  // namespace sparkles
