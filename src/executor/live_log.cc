#include "executor/live_log.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file_url.h"
#include "base/status.h"
#include "storage/content_type.h"
#include "storage/object_url.h"

namespace sparkles {

LiveLog::LiveLog(Executor& executor, int fd, const std::string& url, const CancelToken& cancel,
                 ConfirmClaim confirm_claim, const Log& log)
    : executor_(executor),
      url_(url),
      confirm_claim_(confirm_claim),
      log_(log),
      sender_(executor.store, executor.clock, fd, url, cancel) {
  const bool off = executor.options.log_every <= absl::ZeroDuration() || url.empty() ||
                   absl::StartsWith(url, kFileScheme) ||
                   executor.live_log_notes.IsRefused(BucketOf(url));
  if (off) return;
  thread_.emplace("live-log", [this](const CancelToken& stop) { Run(stop); }, &cancel);
  if (thread_->status().ok() || !executor.live_log_notes.MayWarn(executor.clock.Now())) return;
  log_.Warning("the log is not sent before the task has ended: ", thread_->status().message());
}

void LiveLog::Stop() {
  if (thread_) thread_->Stop();
}

absl::StatusOr<ObjectInfo> LiveLog::Deliver(const std::vector<DeliveredFile>& outputs,
                                            const UploadOptions& options,
                                            const Activity& activity) {
  Stop();
  const std::string part = absl::StrCat(url_, kPartSuffix);
  const bool part_is_output =
      std::any_of(outputs.begin(), outputs.end(),
                  [&part](const DeliveredFile& output) { return output.dst_url == part; });
  return sender_.Deliver(/*may_append=*/!part_is_output, options, activity);
}

void LiveLog::Run(const CancelToken& stop) {
  while (executor_.clock.Sleep(executor_.options.log_every, stop) && SendOnce(stop)) {
  }
}

bool LiveLog::SendOnce(const CancelToken& stop) {
  // Costs no request while the claim is watched. If the state is unknown, an object of another
  // worker is still not replaced.
  const absl::StatusOr<ClaimState> claim = confirm_claim_(Freshness::kRecent, stop);
  if (claim.ok() && *claim != ClaimState::kHeld) return false;
  const auto still_ours = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const ClaimState now, confirm_claim_(Freshness::kNow, stop));
    return now == ClaimState::kHeld ? absl::OkStatus()
                                    : absl::CancelledError("the claim has ended");
  };
  const UploadOptions options = {.before_replacing = still_ours, .content_type = kPlainText};
  const absl::Status sent = sender_.Send(options, Activity(stop));
  if (stop.cancelled() || absl::IsCancelled(sent)) return false;
  if (!sent.ok()) Report(sent);
  return !sender_.gave_up();
}

void LiveLog::Report(const absl::Status& error) {
  LiveLogNotes& notes = executor_.live_log_notes;
  if (sender_.refused()) {
    const std::string bucket = BucketOf(url_);
    if (!notes.NoteRefusal(bucket)) return;
    log_.Warning(
        "a log is sent to ", bucket, " only when its task has ended, because this worker ",
        "cannot replace objects there (--logEvery 0 avoids the check, which may leave the ",
        "empty object ", url_, kPartSuffix, "): ", error.message());
    return;
  }
  if (!notes.MayWarn(executor_.clock.Now())) return;
  log_.Warning(
      "the log of the running task cannot be sent, but ",
      sender_.gave_up() ? "it is sent when the task has ended: " : "it is sent again later: ",
      error.message());
}

}  // namespace sparkles
