#include "executor/log_sender.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/copy.h"
#include "base/crc32c.h"
#include "base/delayed_cancel.h"
#include "base/permission.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Cloud Storage accepts one change of an object a second.
constexpr absl::Duration kBetweenChanges = absl::Seconds(1);

// Limit for sending the rest of a log when its task has ended. After that, an upload of the whole
// log may still succeed.
constexpr absl::Duration kAppendLimit = absl::Minutes(1);

bool IsShorter(uint64_t size, const SentLog& sent) {
  return size < std::max(sent.object.size, sent.tried);
}

// True if the same send may succeed later.
bool MayPass(const absl::Status& error) {
  if (IsMachineFault(error) || absl::IsUnavailable(error) || absl::IsAborted(error)) return true;
  return absl::IsPermissionDenied(error) && !IsObjectProtected(error);
}

}  // namespace

LogStep PlanLogSend(uint64_t size, const SentLog& sent) {
  const LogStep nothing;
  const bool same = size == sent.object.size && sent.tried == 0 && !sent.rewritten;
  if (same) return nothing;
  if (size <= kWholeLogBytes || sent.object.size == 0) return {LogSend::kWhole, size};
  // A long log is not sent twice before the task ends.
  if (sent.rewritten || IsShorter(size, sent)) return nothing;
  return {LogSend::kPart, sent.tried != 0 ? sent.tried : size};
}

absl::Status LogSender::Send(const UploadOptions& options, const Activity& activity) {
  if (gave_up_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const uint64_t size, Size());
  const LogStep step = PlanLogSend(size, sent_);
  sent_.rewritten |= IsShorter(size, sent_);
  if (step.send == LogSend::kNothing) return absl::OkStatus();
  if (!replaceable_) RETURN_IF_ERROR(TestReplacement(options, activity));
  const absl::Status sent = step.send == LogSend::kWhole ? SendWhole(size, options, activity)
                                                         : SendPart(step.size, options, activity);
  gave_up_ = !sent.ok() && !MayPass(sent) && !absl::IsCancelled(sent);
  return sent;
}

absl::StatusOr<ObjectInfo> LogSender::Deliver(bool may_append, const UploadOptions& options,
                                              const Activity& activity) {
  if (may_append && CanComplete()) {
    const TimeLimit limit(activity.cancel(), kAppendLimit);
    const absl::Status completed = Complete(options, Activity(activity, limit.token()), activity);
    if (completed.ok()) return sent_.object;
    const bool cancelled = absl::IsCancelled(completed);
    if (cancelled && (activity.cancel().cancelled() || !limit.token().cancelled())) {
      return completed;
    }
  }
  UploadOptions whole = options;
  whole.known_generation = sent_.object.generation;
  WaitBetweenChanges();
  const absl::StatusOr<ObjectInfo> stored = store_.Upload(fd_, url_, whole, activity);
  sent_ = SentLog{.object = stored.ok() ? *stored : ObjectInfo{}};
  return stored;
}

absl::StatusOr<uint64_t> LogSender::Size() const {
  struct stat info;
  if (fstat(fd_, &info) != 0) return ErrnoError(errno, "the task's log");
  return static_cast<uint64_t>(info.st_size);
}

// Without the right to delete, or with a retention policy or a default hold, the first send could
// not be replaced, and the whole log could not be delivered.
absl::Status LogSender::TestReplacement(const UploadOptions& options, const Activity& activity) {
  const std::string url = absl::StrCat(url_, kPartSuffix);
  const absl::StatusOr<ObjectInfo> written = store_.UploadBytes("", url, options, activity);
  absl::Status status = written.status();
  if (written.ok()) status = store_.Remove(url, written->generation, activity);
  replaceable_ = status.ok();
  refused_ = absl::IsPermissionDenied(status);
  gave_up_ = refused_ || absl::IsInvalidArgument(status) || absl::IsNotFound(status);
  return status;
}

void LogSender::WaitBetweenChanges() {
  const absl::Duration since = clock_.Now() - changed_at_;
  if (since < absl::ZeroDuration() || since >= kBetweenChanges) return;
  clock_.Sleep(kBetweenChanges - since, stop_);
}

absl::Status LogSender::SendWhole(uint64_t size, UploadOptions options, const Activity& activity) {
  options.known_generation = sent_.object.generation;
  WaitBetweenChanges();
  const auto stored = store_.Append(fd_, size, url_, {}, options, activity);
  changed_at_ = clock_.Now();
  sent_ = SentLog{.object = stored.ok() ? *stored : ObjectInfo{}};
  return stored.status();
}

absl::Status LogSender::SendPart(uint64_t size, const UploadOptions& options,
                                 const Activity& activity) {
  WaitBetweenChanges();
  const auto stored = store_.Append(fd_, size, url_, sent_.object, options, activity);
  changed_at_ = clock_.Now();
  if (stored.ok()) {
    sent_ = SentLog{.object = *stored};
  } else {
    sent_.tried = size;
  }
  return stored.status();
}

bool LogSender::CanComplete() const {
  const absl::StatusOr<uint64_t> size = Size();
  return size.ok() && *size > kWholeLogBytes && !IsShorter(*size, sent_) && sent_.object.size > 0 &&
         !sent_.rewritten && !gave_up_;
}

absl::Status LogSender::Complete(const UploadOptions& options, const Activity& sending,
                                 const Activity& reading) {
  ASSIGN_OR_RETURN(const uint64_t size, Size());
  if (sent_.tried != 0) RETURN_IF_ERROR(SendPart(sent_.tried, options, sending));
  if (size > sent_.object.size) RETURN_IF_ERROR(SendPart(size, options, sending));
  uint32_t crc = 0;
  RETURN_IF_ERROR(ReadPieces(fd_, size, [&](absl::string_view piece) {
    crc = ExtendCrc32c(crc, piece);
    return reading.ReportWork();
  }));
  ASSIGN_OR_RETURN(const uint64_t size_now, Size());
  if (size_now == sent_.object.size && crc == sent_.object.crc32c) return absl::OkStatus();
  sent_.rewritten = true;
  return absl::DataLossError("the log has changed since a part of it was sent");
}

}  // namespace sparkles
