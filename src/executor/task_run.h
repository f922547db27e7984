// Runs one attempt of a task: the steps of docs/wire-results.md, in their order.
// A run delivers its results, fails, or hands the task back. In each case the log is delivered
// before the outcome, and result.json is the last file.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/activity.h"
#include "base/cancel.h"
#include "base/delayed_cancel.h"
#include "base/log.h"
#include "checkpoint/task_checkpoint.h"
#include "executor/executor.h"
#include "executor/live_log.h"
#include "executor/stager.h"
#include "executor/task_directory.h"
#include "executor/task_log.h"
#include "executor/task_shell.h"
#include "executor/uploader.h"
#include "task/confirm_claim.h"
#include "task/task_result.h"
#include "task/task_spec.h"

namespace sparkles {

class TaskRun {
 public:
  // Borrows all. The parameters are those of Executor::Execute.
  TaskRun(Executor& executor, const Task& task, int attempt, const Activity& activity,
          ConfirmClaim confirm_claim);

  // Call once.
  Outcome Run();

 private:
  // Shows the phase of the task, with `files` to transfer.
  void Enter(TaskPhase phase, size_t files = 0);
  absl::Status MakeDirectory();
  absl::Status ReadTaskSpec();
  // Also makes the shell, because a restore sets a variable.
  absl::Status RestoreCheckpoint();
  // The last save of a task that is handed back.
  void SaveCheckpoint();
  absl::Status Prepare();
  absl::Status StageInputs();
  absl::Status RunScript(absl::string_view name, const std::string& script);
  absl::Status RunCommand();
  absl::Status ReadOnlyError() const;
  absl::Status DeliverOutputs();
  void ReportUnmatched(const std::vector<size_t>& unmatched);
  // Ignores errors: on a full disk the line is lost, and the outcome does not change.
  void AddToLog(absl::string_view line);
  absl::Status DeliverLog();
  // Keeps the log of an earlier attempt; result.json says why.
  void SkipLog(const absl::Status& why);
  absl::Status DeliverResult();
  // For the log and result.json, which are delivered even if the worker must stop.
  UploadOptions DeliveryOptions(const char* content_type);
  const Activity& DeliveryActivity();
  // For UploadOptions::before_replacing. `transfer` is the token of the transfer.
  std::function<absl::Status()> ClaimConfirmer(const CancelToken& transfer);
  // Asks whether the claim still stands. Cancels the run if the claim has ended, not if the state
  // of the claim is unknown.
  void CancelIfClaimEnded();
  absl::Status CheckCancelled() const;
  // For the log and result.json. Cancelled only if the claim is lost.
  absl::Status CheckClaim();

  Outcome Complete();
  Outcome EndEarly(absl::Status status);
  Outcome Fail(const std::string& reason);

  Executor& executor_;
  const Task& task_;
  const int attempt_;   // counts from 1
  CancelToken cancel_;  // a child of the caller's token
  const Activity activity_;
  const ConfirmClaim confirm_claim_;
  const Log log_;  // the worker's, with the task's id
  Stager stager_;
  Uploader uploader_;
  TaskSpec spec_;
  std::string spec_text_;  // as in the store or the task
  TaskResult result_;
  std::optional<TaskDirectory> directory_;
  std::optional<TaskLog> task_log_;
  std::optional<LiveLog> live_log_;       // from the start of the command
  std::vector<std::string> environment_;  // "NAME=value", of scripts and command
  std::optional<TaskCheckpoint> checkpoint_;
  std::optional<TaskShell> shell_;
  std::vector<StagedInput> inputs_;
  std::string exit_code_;
  bool reached_limit_ = false;  // the worker ended the command at a limit
  bool saved_late_ = false;     // the last save may have used time of the log
  bool log_skipped_ = false;    // an older log cannot be replaced
  std::optional<DelayedCancel> delivery_cancel_;
  std::optional<Activity> delivery_activity_;  // ends with delivery_cancel_
};

}  // namespace sparkles
