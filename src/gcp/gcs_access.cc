#include "gcp/gcs_access.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/permission.h"
#include "base/status.h"
#include "gcp/api_error.h"

namespace sparkles {
namespace {

constexpr absl::Duration kShortestWait = absl::Seconds(1);
constexpr absl::Duration kLongestWait = absl::Seconds(10);

// A write shows for this time that another write would succeed.
constexpr absl::Duration kWrittenLately = absl::Minutes(10);
// Above this number of places, old places are forgotten.
constexpr size_t kPlaces = 1000;

// The grandparent directory of `name`: each task of a job has a directory of its own.
std::string PlaceOf(const GcsName& name) {
  std::string directory = name.object;
  for (int i = 0; i < 2; ++i) {
    const size_t slash = directory.rfind('/');
    directory.resize(slash == std::string::npos ? 0 : slash);
  }
  return absl::StrCat(name.bucket, "/", directory);
}

const char* RoleFor(GcsRight right) {
  return right == GcsRight::kRead ? "roles/storage.objectViewer" : "roles/storage.objectUser";
}

}  // namespace

void GcsAccess::BeginTask() {
  MutexLock lock(mutex_);
  for (auto& [key, state] : states_) state.refused_at.reset();
}

void GcsAccess::NoteGranted(const std::string& bucket, GcsRight right) {
  MutexLock lock(mutex_);
  State& state = states_[{bucket, right}];
  if (!state.granted_at.has_value()) state.granted_at = clock_.Now();
}

std::optional<absl::Duration> GcsAccess::NextRetryWait(const std::string& bucket, GcsRight right,
                                                       const absl::Status& refusal) {
  if (!MayBeGrantedSoon(refusal)) return std::nullopt;
  bool first = false;
  absl::Duration wait;
  {
    MutexLock lock(mutex_);
    State& state = states_[{bucket, right}];
    const absl::Time now = clock_.Now();
    first = !state.refused_at.has_value();
    if (state.granted_at.has_value()) {
      // A transfer that was waiting at the time of the grant is tried again, because the grant may
      // not have reached all servers.
      if (first || now - *state.granted_at > kLongestWait) return std::nullopt;
    }
    // A clock that is set back must not prolong the wait.
    state.refused_at = std::min(state.refused_at.value_or(now), now);
    const absl::Duration waited = now - *state.refused_at;
    if (waited >= max_elapsed_) return std::nullopt;
    wait = std::min(std::clamp(waited / 2, kShortestWait, kLongestWait), max_elapsed_ - waited);
  }
  if (first && log_ != nullptr) {
    log_->Warning("cannot ", DescribeRight(bucket, right), ": ", refusal.message(),
                  "; the role may be new, so the worker retries for ",
                  absl::FormatDuration(max_elapsed_), " (--permissionPatience)");
  }
  return wait;
}

std::string GcsAccess::PayerOf(const std::string& bucket) {
  MutexLock lock(mutex_);
  const auto found = payers_.find(bucket);
  return found == payers_.end() ? "" : found->second;
}

bool GcsAccess::FindPayerFor(const std::string& bucket, const CancelToken& cancel) {
  if (!find_payer_ || bucket.empty()) return false;
  const absl::StatusOr<std::string> payer = find_payer_(cancel);
  if (!payer.ok() || payer->empty()) return false;
  bool first;
  {
    MutexLock lock(mutex_);
    first = payers_.insert({bucket, *payer}).second;
  }
  if (first && log_ != nullptr) {
    log_->Info("gs://", bucket, " is a requester-pays bucket: requests name project ", *payer,
               " as payer");
  }
  return true;
}

bool GcsAccess::WasWrittenRecently(const GcsName& name) {
  MutexLock lock(mutex_);
  const auto found = written_.find(PlaceOf(name));
  if (found == written_.end()) return false;
  const absl::Duration ago = clock_.Now() - found->second;
  return ago >= absl::ZeroDuration() && ago < kWrittenLately;
}

void GcsAccess::NoteWritten(const GcsName& name) {
  MutexLock lock(mutex_);
  const absl::Time now = clock_.Now();
  if (written_.size() >= kPlaces) {
    std::erase_if(written_,
                  [now](const auto& place) { return now - place.second >= kWrittenLately; });
  }
  written_[PlaceOf(name)] = now;
}

std::string DescribeRight(const std::string& bucket, GcsRight right) {
  return absl::StrCat(right == GcsRight::kRead ? "read from gs://" : "write to gs://", bucket);
}

absl::Status ExplainRefusal(const absl::Status& refusal, const std::string& bucket,
                            GcsRight right) {
  if (IsForRetention(refusal)) return refusal;
  absl::Status explained = refusal;
  if (MayBeGrantedSoon(refusal)) {
    explained = WithMessage(
        refusal, absl::StrCat(refusal.message(),
                              "; to grant it: gcloud storage buckets "
                              "add-iam-policy-binding gs://",
                              bucket, " --member=serviceAccount:ACCOUNT --role=", RoleFor(right)));
  }
  return MarkMissingPermission(std::move(explained), DescribeRight(bucket, right));
}

bool IsRefusalToReplace(const absl::Status& refusal) {
  return absl::IsPermissionDenied(refusal) &&
         (IsForRetention(refusal) ||
          absl::StrContains(refusal.message(), "storage.objects.delete"));
}

}  // namespace sparkles
