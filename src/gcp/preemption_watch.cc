#include "gcp/preemption_watch.h"

#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "base/random.h"

namespace sparkles {
namespace {

constexpr char kPath[] = "instance/preempted";
constexpr char kReason[] = "the VM is being preempted";
// Google's own guest agent polls for as long.
constexpr absl::Duration kPoll = absl::Seconds(60);
// Limits the requests to a server that answers at once. A change during the pause is still seen,
// because the ETag differs.
constexpr absl::Duration kPause = absl::Seconds(1);
constexpr absl::Duration kPauseAfterError = absl::Seconds(3);

}  // namespace

PreemptionWatch::PreemptionWatch(MetadataServer& metadata, Clock& clock, const CancelToken& stop,
                                 CancelToken& preempted, Log log)
    : metadata_(metadata), clock_(clock), preempted_(preempted), log_(std::move(log)) {
  const absl::StatusOr<MetadataValue> first = metadata_.Peek(kPath, stop);
  if (absl::IsNotFound(first.status()) || absl::IsFailedPrecondition(first.status())) {
    log_.Info("preemption is not watched: ", first.status().message());
    return;
  }
  if (!HandleAnswer(first)) return;
  thread_.emplace("preemption", [this](const CancelToken& done) { Watch(done); });
  if (!thread_->status().ok()) {
    log_.Warning("preemption is not watched: ", thread_->status().message());
  }
}

void PreemptionWatch::Watch(const CancelToken& done) {
  std::minstd_rand random(RandomSeed());
  std::uniform_real_distribution<> jitter(0.5, 1.5);
  absl::Duration pause = absl::ZeroDuration();
  while (clock_.Sleep(pause * jitter(random), done)) {
    const absl::Time asked = clock_.Now();
    const auto answer = metadata_.WaitForChange(kPath, etag_, kPoll, done);
    if (done.cancelled() || !HandleAnswer(answer)) return;
    const bool waited = clock_.Now() - asked >= kPause;
    pause = waited ? absl::ZeroDuration() : kPause;
    // Keep watching after any error: the value existed at the start.
    if (!answer.ok()) pause = kPauseAfterError;
  }
}

bool PreemptionWatch::HandleAnswer(const absl::StatusOr<MetadataValue>& answer) {
  if (!answer.ok()) {
    log_.Debug("cannot check for preemption: ", answer.status().message());
    return true;
  }
  etag_ = answer->etag;
  if (!absl::EqualsIgnoreCase(answer->text, "TRUE")) return true;
  preempted_.Cancel(CancelKind::kHandBack, kReason);
  log_.Warning(kReason);  // may block
  return false;
}

}  // namespace sparkles
