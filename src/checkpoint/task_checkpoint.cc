#include "checkpoint/task_checkpoint.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/delayed_cancel.h"
#include "base/status.h"
#include "base/text.h"
#include "checkpoint/remover.h"
#include "checkpoint/restorer.h"

namespace sparkles {
namespace {

constexpr absl::Duration kWarnAgain = absl::Minutes(10);
// Scans of the directory take at most this part of the time.
constexpr double kMaxScanShare = 0.01;
// Limit of the last save if the worker need not stop. A failed disk may hang.
constexpr absl::Duration kLastSaveLimit = absl::Minutes(2);
// Limit of a removal, because the next claim waits for it.
constexpr absl::Duration kRemovalLimit = absl::Seconds(5);

std::string Rounded(absl::Duration duration) {
  const double seconds = absl::ToDoubleSeconds(duration);
  if (seconds < 100) return absl::StrFormat("%.0f s", seconds);
  if (seconds < 6000) return absl::StrFormat("%.0f min", seconds / 60);
  return absl::StrFormat("%.1f h", seconds / 3600);
}

std::string SizeOf(const std::vector<SavedFile>& files) {
  return absl::StrCat(files.size(), files.size() == 1 ? " file, " : " files, ",
                      HumanBytes(static_cast<double>(TotalBytes(files))));
}

}  // namespace

TaskCheckpoint::TaskCheckpoint(Parts parts)
    : parts_(std::move(parts)),
      url_(CheckpointUrl(parts_.result_url)),
      saver_({.directory = parts_.directory,
              .url = url_,
              .identity = parts_.identity,
              .transfers = parts_.transfers},
             parts_.store, parts_.clock, parts_.check_claim) {}

TaskCheckpoint::~TaskCheckpoint() { EndSaves(); }

bool TaskCheckpoint::enabled() const {
  return parts_.options.every > absl::ZeroDuration() && !url_.empty();
}

absl::Status TaskCheckpoint::Restore(const Activity& activity,
                                     const std::function<void(absl::string_view)>& add_to_log) {
  if (!enabled() || !parts_.identity.may_have_checkpoint()) return absl::OkStatus();
  absl::StatusOr<FoundCheckpoint> found = RestoreCheckpoint({.directory = parts_.directory,
                                                             .url = url_,
                                                             .identity = parts_.identity,
                                                             .transfers = parts_.transfers},
                                                            parts_.store, parts_.clock, activity);
  if (!found.ok()) return Annotate(found.status(), "checkpoint");
  LogRestore(*found, add_to_log);
  if (found->restored()) {
    restored_attempt_ = found->manifest->attempt;
    if (parts_.options.counters != nullptr) {
      parts_.options.counters->restored_bytes.Add(TotalBytes(found->manifest->files));
    }
  }
  saver_.SetStoredCheckpoint(*std::move(found));
  return absl::OkStatus();
}

void TaskCheckpoint::LogRestore(const FoundCheckpoint& found,
                                const std::function<void(absl::string_view)>& add_to_log) const {
  if (!found.ignored.empty()) {
    const std::string line = absl::StrCat("a checkpoint is ignored: ", found.ignored);
    parts_.log.Warning(line);
    add_to_log(line);
  }
  if (!found.restored()) return;
  const Manifest& manifest = *found.manifest;
  std::string line = absl::StrCat("restored ", SizeOf(manifest.files), ", saved ");
  const std::optional<absl::Time> end = EndOfClaim(parts_.history, manifest.attempt);
  // Clocks of two machines differ.
  const absl::Duration before =
      std::max(end.value_or(manifest.saved_at) - manifest.saved_at, absl::ZeroDuration());
  absl::StrAppend(&line, Rounded(before), " before attempt ", manifest.attempt, " ended");
  parts_.log.Info(line);
  add_to_log(line);
}

std::vector<std::string> TaskCheckpoint::Variables() const {
  std::vector<std::string> variables = {
      absl::StrCat(kCheckpointDirVariable, "=", parts_.directory)};
  if (restored_attempt_) {
    variables.push_back(absl::StrCat(kRestoredVariable, "=", *restored_attempt_));
  }
  return variables;
}

void TaskCheckpoint::BeginSaves(const CancelToken& task) {
  if (!enabled()) return;
  last_.emplace(task, parts_.stop_time);
  thread_is_done_ = false;
  thread_.emplace(
      "checkpoint",
      [this](const CancelToken& end) {
        SavePeriodically(end);
        thread_is_done_ = true;
      },
      &end_saves_);
  if (thread_->status().ok()) return;
  parts_.log.Warning("the checkpoint is saved only at a stop: ", thread_->status().message());
  thread_.reset();
}

void TaskCheckpoint::EndSaves() {
  if (!thread_) return;
  end_saves_.Cancel(CancelKind::kAbort, "the command has ended");
  // Uses the clock, so that other threads of the simulator can continue.
  const CancelToken never;
  while (!thread_is_done_) parts_.clock.Sleep(absl::Milliseconds(1), never);
  thread_.reset();
}

void TaskCheckpoint::SavePeriodically(const CancelToken& end) {
  absl::Duration wait = parts_.options.every;
  while (parts_.clock.Sleep(wait, end)) {
    const Activity activity(end);
    Save({.data = activity, .manifest = activity});
    wait = std::max(parts_.options.every, saver_.scan_time() / kMaxScanShare);
  }
}

bool TaskCheckpoint::SaveLast(Heartbeat* heartbeat) {
  if (!last_) return false;
  const TimeLimit files(last_->files(), kLastSaveLimit * 0.75);
  const TimeLimit save(last_->save(), kLastSaveLimit);
  const Activity data(files.token(), heartbeat);
  const Activity manifest(save.token(), heartbeat);
  Save({.data = data, .manifest = manifest, .hurry = true});
  return true;
}

void TaskCheckpoint::Save(const CheckpointSaver::Limits& limits) {
  const int64_t saves = saver_.saves();
  const absl::Status saved = saver_.Save(limits);
  CheckpointCounters* const counters = parts_.options.counters;
  if (saver_.saves() > saves) {
    if (counters != nullptr) counters->saves.Add();
    const std::string size = SizeOf(saver_.files());
    if (limits.hurry) {
      parts_.log.Info("the checkpoint is saved: ", size);
    } else {
      parts_.log.Debug("the checkpoint is saved: ", size);
    }
  }
  if (saver_.unusable_names() > 0 && !std::exchange(names_reported_, true)) {
    parts_.log.Warning("checkpoint: ", saver_.unusable_names(),
                       " names are not valid UTF-8; such files are not saved");
  }
  if (saved.ok() || limits.manifest.cancel().cancelled()) return;
  if (counters != nullptr) counters->save_failures.Add();
  LogSaveFailure(saved);
}

void TaskCheckpoint::LogSaveFailure(const absl::Status& failed) {
  const absl::Time now = parts_.clock.Now();
  if (now - warned_at_ < kWarnAgain) return;
  warned_at_ = now;
  parts_.log.Warning("the checkpoint is not saved in full: ", failed.message());
}

std::optional<CheckpointUse> TaskCheckpoint::Summary() const {
  if (!restored_attempt_ && saver_.saves() == 0) return std::nullopt;
  const std::vector<SavedFile> files = saver_.files();
  return CheckpointUse{.restored_from_attempt = restored_attempt_,
                       .saved_at = saver_.saved_at(),
                       .files = files.size(),
                       .bytes = TotalBytes(files),
                       .saves = saver_.saves()};
}

std::function<void(const CancelToken& stop)> TaskCheckpoint::Removal() const {
  std::optional<CheckpointObjects> checkpoint = saver_.ObjectsToRemove();
  if (!checkpoint) return nullptr;
  return [checkpoint = *std::move(checkpoint), &store = parts_.store, transfers = parts_.transfers,
          log = parts_.log, &logged = parts_.removal_refused](const CancelToken& stop) {
    const TimeLimit limit(stop, kRemovalLimit);
    const absl::Status removed =
        RemoveCheckpoint(checkpoint, store, transfers, Activity(limit.token()));
    if (removed.ok()) return;
    if (absl::IsPermissionDenied(removed)) {
      if (logged.exchange(true)) return;
      log.Warning("checkpoints of ended tasks stay in the store: ", removed.message(),
                  " (logged once)");
    } else {
      log.Warning("the checkpoint of the ended task stays in ", checkpoint.url, ": ",
                  removed.message());
    }
  };
}

}  // namespace sparkles
