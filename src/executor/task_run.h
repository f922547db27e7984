// One run of one task: the steps of docs/wire-contract.md section 4, in their order.
// The one hard idea: a run ends in one of three ways (delivered, failed, to be handed back), and
// whichever it is, the log goes out before the outcome does, and result.json last of all files.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/activity.h"
#include "base/cancel.h"
#include "base/late_cancel.h"
#include "executor/executor.h"
#include "executor/stager.h"
#include "executor/task_folder.h"
#include "executor/task_log.h"
#include "executor/uploader.h"
#include "task/task_result.h"
#include "task/task_spec.h"

namespace sparkles {

// What a run works with; all borrowed.
struct RunContext {
  const ExecutorOptions& options;
  Clock& clock;
  ProcessRunner& runner;
  ObjectStore& store;
  ContentCache& cache;
  const Log& log;              // of this task
  ConfirmClaim confirm_claim;  // see Executor::Execute
  OomWatch& oom;
};

class TaskRun {
 public:
  TaskRun(const RunContext& context, const Task& task, int attempt, const Activity& activity);

  // Call once.
  Outcome Run();

 private:
  absl::Status ReadSpec();
  absl::Status AcceptSpec(const std::string& text);
  absl::Status MakeFolder();
  absl::Status CheckPlaces();
  absl::Status CheckPlace(absl::string_view field, const std::string& url, bool replace);
  absl::Status Prepare();
  absl::Status StageInputs();
  absl::Status RunScript(absl::string_view name, const std::string& script);
  absl::Status RunCommand();
  std::string TimeLimitReason() const;
  absl::Status TurnedReadOnly() const;
  absl::Status CheckNothingSurvives(const CommandExit& exit) const;
  absl::StatusOr<CommandExit> RunShell(const std::string& script, const std::string& folder,
                                       int output_fd);
  absl::Status DeliverOutputs();
  void ReportUnmatched(const std::vector<size_t>& unmatched);
  absl::Status LeaveOutMisplaced(std::vector<std::string>& outputs) const;
  // If the task has filled the disk, the line is lost; the outcome stays.
  void AddToLog(absl::string_view line);
  absl::Status DeliverLog();
  // Keeps the log of an earlier attempt; result.json says why.
  void LeaveOutLog(const absl::Status& why);
  absl::Status DeliverResult();
  // For what is delivered even when the task is to stop.
  UploadOptions LateOptions(const char* content_type);
  const Activity& LateActivity();
  // For UploadOptions::before_replacing of what ends with `transfer`.
  std::function<absl::Status()> StillOurs(const CancelToken& transfer);
  // Asks whether the claim stands; if it has ended, the run is cancelled.
  void CancelUnlessOurs();
  absl::Status CheckCancelled() const;
  // For what is delivered even when the task is to stop, unless it is not ours any more.
  absl::Status CheckClaim();

  // Called while a command or script runs: looks for kills for lack of memory, and for a stop.
  void Watch();
  // Notes a request to stop, and whether it came within 2 s of such a kill.
  void NoteStop();
  Outcome Complete();
  Outcome EndEarly(absl::Status status);
  Outcome Fail(const std::string& reason);

  const RunContext context_;
  const Task& task_;
  const int attempt_;   // counts from 1
  CancelToken cancel_;  // a child of the caller's token
  const Activity activity_;
  Stager stager_;
  Uploader uploader_;
  std::vector<std::string> environment_;
  TaskSpec spec_;
  TaskResult result_;
  std::optional<TaskFolder> folder_;
  std::optional<TaskLog> log_;
  std::vector<StagedInput> inputs_;
  std::string exit_code_;
  bool timed_out_ = false;                    // the command, by its time limit
  OomKills oom_kills_;                        // while the last command or script ran
  OomKills last_oom_kills_;                   // of the last one with a kill in our control group
  const absl::Duration began_;                // MonotonicNow
  std::optional<absl::Duration> stopped_at_;  // MonotonicNow
  bool stopped_for_memory_ = false;
  bool log_left_out_ = false;  // an older log cannot be replaced
  std::optional<LateCancel> late_;
  std::optional<Activity> late_activity_;  // ends with late_
};

}  // namespace sparkles
