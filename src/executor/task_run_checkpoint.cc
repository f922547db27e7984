// Implements the steps of TaskRun that restore and save the checkpoint.
#include <utility>

#include "absl/strings/string_view.h"
#include "base/status.h"
#include "executor/task_run.h"

namespace sparkles {

absl::Status TaskRun::RestoreCheckpoint() {
  checkpoint_.emplace(TaskCheckpoint::Parts{
      .options = executor_.options.checkpoint,
      .stop_time = executor_.options.stop_time,
      .transfers = executor_.options.transfers,
      .directory = directory_->checkpoint(),
      .result_url = spec_.command_result_url,
      .identity = CheckpointIdentity::Of(spec_text_, task_.history, attempt_),
      .history = task_.history,
      .store = executor_.store,
      .clock = executor_.clock,
      .check_claim = [this](const CancelToken& cancel) { return ClaimConfirmer(cancel)(); },
      .log = log_,
      .removal_refused = executor_.checkpoint_removal_refused});
  const auto add_to_log = [this](absl::string_view line) { AddToLog(line); };
  // Evicts unused cache entries if the checkpoint does not fit.
  RETURN_IF_ERROR(executor_.cache.RetryAfterEviction(
      directory_->path(), activity_, [&] { return checkpoint_->Restore(activity_, add_to_log); }));
  for (std::string& variable : checkpoint_->Variables()) {
    environment_.push_back(std::move(variable));
  }
  shell_.emplace(executor_, environment_, activity_);
  return absl::OkStatus();
}

void TaskRun::SaveCheckpoint() {
  if (!checkpoint_) return;
  saved_late_ = checkpoint_->SaveLast(activity_.heartbeat()) && cancel_.hurried();
}

}  // namespace sparkles
