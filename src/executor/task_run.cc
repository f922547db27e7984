#include "executor/task_run.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/file_url.h"
#include "base/glob.h"
#include "base/path.h"
#include "base/permission.h"
#include "base/status.h"
#include "base/text.h"
#include "executor/command_environment.h"
#include "executor/exit_cause.h"
#include "executor/login_environment.h"
#include "executor/output_finder.h"
#include "executor/result_places.h"
#include "executor/script_output.h"
#include "executor/spec_reader.h"
#include "process/machine_stats.h"
#include "process/wait_status.h"
#include "storage/content_type.h"

namespace sparkles {
namespace {

// Limit for the log line about unmatched patterns; result.json has all of them.
constexpr size_t kMaxUnmatchedBytes = 1000;

absl::StatusOr<std::vector<Glob>> ParseGlobs(const std::vector<std::string>& patterns) {
  std::vector<Glob> globs;
  for (const std::string& pattern : patterns) {
    ASSIGN_OR_RETURN(Glob glob, Glob::Parse(pattern));
    globs.push_back(std::move(glob));
  }
  return globs;
}

// An error if a process of the command still runs, because it could change the outputs.
absl::Status CheckNothingSurvives(const CommandExit& exit) {
  if (!exit.survivors) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "processes that it started still run after SIGKILL: they fork without end, "
      "belong to another user, or wait for a disk or server; no output is delivered");
}

}  // namespace

TaskRun::TaskRun(Executor& executor, const Task& task, int attempt, const Activity& activity,
                 ConfirmClaim confirm_claim)
    : executor_(executor),
      task_(task),
      attempt_(attempt),
      cancel_(&activity.cancel()),
      activity_(activity, cancel_),
      confirm_claim_(confirm_claim),
      log_(executor.log.WithTask(task.id)),
      stager_(executor.store, executor.cache, executor.clock, executor.current,
              executor.options.transfers),
      uploader_(executor.store, executor.current, executor.options.transfers) {}

Outcome TaskRun::Run() {
  executor_.oom.Begin();
  absl::Status status = MakeDirectory();
  if (status.ok()) status = ReadTaskSpec();
  if (status.ok()) {
    status = CheckResultPlaces(spec_, attempt_, executor_.store, activity_, log_);
  }
  if (status.ok()) status = RestoreCheckpoint();
  if (status.ok()) status = Prepare();
  if (status.ok()) status = RunCommand();
  if (status.ok()) status = RunScript("post-exec-script", spec_.post_exec_script);
  if (status.ok()) status = DeliverOutputs();
  stager_.DropChanged(inputs_, activity_, log_);
  if (status.ok()) status = DeliverLog();
  if (status.ok()) status = DeliverResult();
  const bool undelivered =
      !status.ok() && result_.run.has_value() && !cancel_.cancelled() && !reached_limit_;
  Outcome outcome = status.ok() ? Complete() : EndEarly(status);
  if (directory_ &&
      (executor_.options.keep_tasks || (undelivered && outcome.kind == Outcome::Kind::kFailed))) {
    if (const absl::Status kept = directory_->Keep(); kept.ok()) {
      log_.Info("the task directory is kept: ", directory_->path());
    } else {
      log_.Warning("the task directory cannot be kept: ", kept.message());
    }
  } else if (directory_ && cancel_.kind() == CancelKind::kHandBack) {
    // The removal of a large directory may take longer than the rest of the stop.
    directory_->LeaveForNextWorker();
  }
  if (checkpoint_) outcome.when_ended = checkpoint_->Removal();
  if (directory_) outcome.directory = std::make_shared<TaskDirectory>(*std::move(directory_));
  directory_.reset();
  return outcome;
}

void TaskRun::Enter(TaskPhase phase, size_t files) {
  executor_.current.Enter(phase, executor_.clock.Now(), files);
}

absl::Status TaskRun::MakeDirectory() {
  ASSIGN_OR_RETURN(TaskDirectory directory,
                   TaskDirectory::Make(executor_.options.tasks_dir, log_, activity_.heartbeat()));
  directory_.emplace(std::move(directory));
  environment_ = TaskEnvironment(executor_.options.environment, task_, attempt_);
  environment_.push_back(absl::StrCat(kTaskDirVariable, "=", directory_->path()));
  AddLoginVariables(directory_->path(), directory_->temp(), FindLoginUser, environment_);
  ASSIGN_OR_RETURN(TaskLog log, TaskLog::Create(directory_->work()));
  task_log_.emplace(std::move(log));
  if (executor_.options.on_log) executor_.options.on_log(task_.id, task_log_->path());
  return absl::OkStatus();
}

absl::Status TaskRun::ReadTaskSpec() {
  ResolvedSpec resolved = ReadSpec(task_, executor_.store, activity_);
  spec_ = std::move(resolved.spec);
  spec_text_ = std::move(resolved.text);
  for (const std::string& warning : spec_.warnings) log_.Warning(warning);
  result_.command = spec_.command;
  result_.parameters = spec_.parameters;
  return resolved.status;
}

absl::Status TaskRun::Prepare() {
  RETURN_IF_ERROR(RunScript("pre-download-script", spec_.pre_download_script));
  RETURN_IF_ERROR(StageInputs());
  for (const std::string& warning : spec_.warnings) AddToLog(warning);
  RETURN_IF_ERROR(RunScript("post-download-script", spec_.post_download_script));
  return RunScript("pre-exec-script", spec_.pre_exec_script);
}

absl::Status TaskRun::StageInputs() {
  if (spec_.downloads.empty()) return absl::OkStatus();
  Enter(TaskPhase::kFetching, spec_.downloads.size());
  AddToLog(absl::StrCat("Downloading ", spec_.downloads.size(), " files..."));
  ASSIGN_OR_RETURN(inputs_, stager_.Stage(spec_.downloads, directory_->work(), activity_, log_));
  AddToLog("download complete.");
  Enter(TaskPhase::kPreparing);
  return absl::OkStatus();
}

absl::Status TaskRun::RunScript(absl::string_view name, const std::string& script) {
  RETURN_IF_ERROR(CheckCancelled());
  if (script.empty()) return absl::OkStatus();
  auto output = directory_->CreateLog(absl::StrCat(name, ".txt"));
  if (!output.ok() && result_.run.has_value()) {
    // The command may have filled the disk, so this is not a machine fault.
    log_.Warning(name, ": its output is not logged: ", output.status().message());
    output = OpenFile("/dev/null", O_RDWR);
  }
  if (!output.ok()) return Annotate(output.status(), name);
  auto exit = shell_->Run(script, directory_->work(), output->get());
  if (!exit.ok()) return Annotate(exit.status(), name);
  // Reads the descriptor, because the script may have replaced the file by a FIFO.
  LogScriptOutput(log_, name, output->get());
  const std::string code = ReturnCodeText(exit->wait_status);
  if (exit->reached_limit()) log_.Warning(name, ": ", shell_->LimitReason(*exit));
  if (code != "0") log_.Warning(name, " ended with ", code, "; the task continues");
  RETURN_IF_ERROR(CheckCancelled());
  RETURN_IF_ERROR(Annotate(CheckNothingSurvives(*exit), name));
  return directory_->CheckInPlace();
}

absl::Status TaskRun::RunCommand() {
  RETURN_IF_ERROR(CheckCancelled());
  const std::string directory = absl::StrCat(directory_->work(), "/", spec_.working_dir);
  struct stat info;
  if (stat(directory.c_str(), &info) != 0) {
    return Annotate(ErrnoError(errno, spec_.working_dir), "working_dir");
  }
  absl::Status inside = CheckInside(directory_->work(), directory);
  if (!inside.ok()) return Annotate(inside, absl::StrCat("working_dir: ", spec_.working_dir));
  if (const auto& withheld = executor_.options.withheld_variables; !withheld.empty()) {
    AddToLog(absl::StrCat("withheld from the environment: ", absl::StrJoin(withheld, " ")));
  }
  log_.Info("running: ", CutText(spec_.command, 300));
  Enter(TaskPhase::kRunning);
  MachineSampler sampler(directory_->path(), "/proc", executor_.gpus);
  live_log_.emplace(executor_, task_log_->fd(), spec_.stdout_url, cancel_, confirm_claim_, log_);
  checkpoint_->BeginSaves(cancel_);
  auto exit = shell_->Run(spec_.command, directory, task_log_->fd());
  checkpoint_->EndSaves();
  live_log_->Stop();
  MachineStats machine = sampler.Stop();
  if (!exit.ok()) return Annotate(exit.status(), "command");
  machine.machine_type = executor_.options.machine_type;
  std::optional<ExitCause> cause;
  if (exit->wait_status != 0 || exit->reached_limit()) {
    cause = FindExitCause(*exit, {.oom = shell_->oom_kills(),
                                  .least_free = machine.least_free,
                                  .cancelled = cancel_.cancelled(),
                                  .no_progress_timeout = executor_.options.no_progress_timeout});
  }
  if (cause) log_.Info("cause of the command's end: ", cause->kind, ": ", cause->detail);
  result_.run = CommandRun{ReturnCodeText(exit->wait_status),
                           exit->usage,
                           exit->start,
                           exit->end,
                           std::move(machine),
                           std::move(cause)};
  exit_code_ = ExitCodeText(exit->wait_status);
  if (exit->leftovers > 0) {
    log_.Info(exit->leftovers, " processes outlived the command and were ended");
  }
  RETURN_IF_ERROR(CheckCancelled());
  // The command's exit code does not show whether it could write.
  if (IsReadOnly(directory_->path())) return ReadOnlyError();
  RETURN_IF_ERROR(Annotate(CheckNothingSurvives(*exit), "command"));
  RETURN_IF_ERROR(Annotate(CheckFileSizeLimit(exit->wait_status), "command"));
  reached_limit_ = exit->reached_limit();
  if (reached_limit_) return absl::DeadlineExceededError(shell_->LimitReason(*exit));
  return directory_->CheckInPlace();
}

absl::Status TaskRun::ReadOnlyError() const { return ErrnoError(EROFS, directory_->path()); }

absl::Status TaskRun::DeliverOutputs() {
  Enter(TaskPhase::kStoring);
  auto unchanged = stager_.DetectChangedInputs(inputs_, directory_->work(), activity_, log_);
  RETURN_IF_ERROR(unchanged.status());
  if (spec_.include_patterns.empty()) return absl::OkStatus();
  CancelIfClaimEnded();
  RETURN_IF_ERROR(CheckCancelled());
  ASSIGN_OR_RETURN(const std::vector<Glob> include, ParseGlobs(spec_.include_patterns));
  ASSIGN_OR_RETURN(const std::vector<Glob> exclude, ParseGlobs(spec_.exclude_patterns));
  ASSIGN_OR_RETURN(Outputs outputs, FindOutputs(directory_->work(), include, exclude, activity_));
  ReportUnmatched(outputs.unmatched);
  const auto is_log = [](const std::string& path) { return path == kTaskLogName; };
  if (std::any_of(outputs.files.begin(), outputs.files.end(), is_log) && task_log_->IsReplaced()) {
    outputs.skipped.push_back({kTaskLogName, "the log, as it was printed, is delivered instead"});
  }
  std::erase_if(outputs.files, [&](const std::string& path) {
    return is_log(path) || std::binary_search(unchanged->begin(), unchanged->end(), path);
  });
  // The other outputs are delivered, but the task fails.
  const absl::Status placed = RemoveReservedOutputs(spec_, outputs.files);
  result_.skipped = std::move(outputs.skipped);
  Enter(TaskPhase::kStoring, outputs.files.size());
  absl::Status uploaded =
      uploader_.Upload(directory_->work(), outputs.files, spec_.upload_url,
                       {.before_replacing = ClaimConfirmer(cancel_)}, activity_, result_);
  for (const SkippedFile& skipped : result_.skipped) {
    log_.Warning("not uploaded: ", skipped.src, ": ", skipped.reason);
  }
  uploaded.Update(placed);
  return uploaded;
}

// Does not change the status: only the user knows whether an output may be absent.
void TaskRun::ReportUnmatched(const std::vector<size_t>& unmatched) {
  std::vector<std::string> quoted;
  for (const size_t i : unmatched) {
    result_.unmatched_patterns.push_back(spec_.include_patterns[i]);
    quoted.push_back(absl::StrCat("\"", PrintableText(spec_.include_patterns[i]), "\""));
  }
  if (quoted.empty()) return;
  const std::string line =
      CutText(absl::StrCat("no output matches ", absl::StrJoin(quoted, ", ")), kMaxUnmatchedBytes);
  AddToLog(line);
  log_.Warning(line);
}

void TaskRun::AddToLog(absl::string_view line) {
  const absl::Status added = task_log_->AddLine(line);
  if (added.ok()) return;
  log_.Warning("a line is missing in the task's log: ", added.message());
}

absl::Status TaskRun::DeliverLog() {
  RETURN_IF_ERROR(CheckClaim());
  if (spec_.stdout_url.empty()) return absl::OkStatus();
  const UploadOptions options = DeliveryOptions(kPlainText);
  const auto info = live_log_ ? live_log_->Deliver(result_.files, options, DeliveryActivity())
                              : executor_.store.Upload(task_log_->fd(), spec_.stdout_url, options,
                                                       DeliveryActivity());
  if (IsObjectProtected(info.status())) {
    SkipLog(info.status());
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(info.status());
  result_.files.push_back(
      {kTaskLogName, spec_.stdout_url, info->size, info->crc32c, info->generation});
  return absl::OkStatus();
}

void TaskRun::SkipLog(const absl::Status& why) {
  if (std::exchange(log_skipped_, true)) return;
  log_.Warning("the log is not delivered, and an older log stays: ", why.message());
  result_.skipped.push_back({kTaskLogName, std::string(why.message())});
}

absl::Status TaskRun::DeliverResult() {
  RETURN_IF_ERROR(CheckClaim());
  if (spec_.command_result_url.empty()) return absl::OkStatus();
  std::sort(result_.files.begin(), result_.files.end(),
            [](const DeliveredFile& a, const DeliveredFile& b) { return a.src < b.src; });
  if (checkpoint_) result_.checkpoint = checkpoint_->Summary();
  // Outputs must be on disk before result.json, and result.json before the status is recorded.
  RETURN_IF_ERROR(executor_.store.Flush());
  auto info = executor_.store.UploadBytes(FormatTaskResult(result_), spec_.command_result_url,
                                          DeliveryOptions(kJsonType), DeliveryActivity());
  if (!info.ok()) return Annotate(info.status(), "result.json");
  return executor_.store.Flush();
}

const Activity& TaskRun::DeliveryActivity() {
  if (!delivery_cancel_) {
    const StopTime& time = executor_.options.stop_time;
    delivery_cancel_.emplace(cancel_, saved_late_ ? time.late_log_limit() : time.log_limit());
    delivery_activity_.emplace(activity_, delivery_cancel_->token());
  }
  return *delivery_activity_;
}

UploadOptions TaskRun::DeliveryOptions(const char* content_type) {
  return {.before_replacing = ClaimConfirmer(DeliveryActivity().cancel()),
          .content_type = content_type};
}

// Keeps a worker that was frozen from replacing the results of the next worker.
std::function<absl::Status()> TaskRun::ClaimConfirmer(const CancelToken& transfer) {
  return [this, &transfer] {
    const absl::StatusOr<ClaimState> state = confirm_claim_(Freshness::kNow, transfer);
    RETURN_IF_ERROR(state.status());
    CancelIfEnded(*state, cancel_);
    // The task of a killed job has no other owner.
    return *state == ClaimState::kLost ? CheckCancelled() : absl::OkStatus();
  };
}

absl::Status TaskRun::CheckCancelled() const {
  if (!cancel_.cancelled()) return absl::OkStatus();
  return absl::CancelledError(cancel_.reason());
}

void TaskRun::CancelIfClaimEnded() {
  if (cancel_.cancelled()) return;
  const absl::StatusOr<ClaimState> state = confirm_claim_(Freshness::kRecent, cancel_);
  if (state.ok()) CancelIfEnded(*state, cancel_);
}

absl::Status TaskRun::CheckClaim() {
  CancelIfClaimEnded();
  // Log and result.json are small, so they are delivered even if the worker must stop. They are not
  // delivered if the claim is lost, because they would replace the results of the new owner.
  return cancel_.kind() == CancelKind::kClaimLost ? CheckCancelled() : absl::OkStatus();
}

Outcome TaskRun::Complete() {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kComplete;
  outcome.exit_code = exit_code_;
  return outcome;
}

Outcome TaskRun::EndEarly(absl::Status status) {
  Enter(TaskPhase::kStoring);
  // On a file system that has become read-only, that is the cause of each error.
  if (directory_ && !IsMachineFault(status) && IsReadOnly(directory_->path())) {
    status = ReadOnlyError();
  }
  std::string reason =
      CutText(cancel_.cancelled() ? cancel_.reason() : std::string(status.message()),
              kMaxFailureReasonBytes);
  Outcome outcome;
  const std::optional<std::string> lack_of_memory =
      shell_ ? shell_->LackOfMemoryAtStop() : std::nullopt;
  outcome.abandoned = lack_of_memory.has_value();
  if (lack_of_memory) reason = absl::StrCat(*lack_of_memory, "; then ", reason);
  outcome.failure_reason = reason;
  outcome.machine_fault = IsMachineFault(status) && !cancel_.cancelled();
  if (cancel_.kind() == CancelKind::kClaimLost) {
    outcome.kind = Outcome::Kind::kClaimLost;
    return outcome;
  }
  if (cancel_.kind() == CancelKind::kHandBack || outcome.machine_fault) {
    outcome.kind = Outcome::Kind::kHandBack;
  } else if (cancel_.kind() == CancelKind::kKilled) {
    outcome.kind = Outcome::Kind::kKilled;
  } else {
    outcome = Fail(reason);
    outcome.lacks_permission = MissingPermission(status);
    return outcome;
  }
  // Errors of the log do not change the outcome. No log is delivered in a hurried stop after a
  // machine fault, because a command that survived KILL has used up the time.
  const bool too_late = IsMachineFault(status) && cancel_.hurried();
  if (outcome.kind == Outcome::Kind::kHandBack && !too_late) SaveCheckpoint();
  if (task_log_ && !too_late) {
    AddToLog(reason);
    (void)DeliverLog();
  }
  return outcome;
}

Outcome TaskRun::Fail(const std::string& reason) {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kFailed;
  outcome.failure_reason = reason;
  result_.failure_reason = reason;
  std::erase_if(result_.files, [](const DeliveredFile& file) { return file.src == kTaskLogName; });
  AddToLog(absl::StrCat("failed: ", reason));
  absl::Status delivered = DeliverLog();
  if (delivered.ok() || !IsMachineFault(delivered)) delivered.Update(DeliverResult());
  if (delivered.ok()) return outcome;
  if (IsMachineFault(delivered)) {
    outcome.kind = Outcome::Kind::kHandBack;
    outcome.machine_fault = true;
    outcome.failure_reason = std::string(delivered.message());
  } else {
    log_.Warning("the log or result.json of the failed task is missing: ", delivered.message());
  }
  return outcome;
}

}  // namespace sparkles
