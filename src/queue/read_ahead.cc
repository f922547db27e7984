#include "queue/read_ahead.h"

#include <algorithm>
#include <utility>

#include "base/status.h"

namespace sparkles {

absl::StatusOr<std::optional<VersionedTask>> ReadAhead::Take(
    const std::string& id, const std::vector<std::string>& upcoming, const CancelToken& cancel) {
  const size_t count = static_cast<size_t>(BatchSizeAtCurrentPace());
  if (context_.clock.Now() - read_at_ > kMaxAge) tasks_.clear();
  if (count > 1 && !tasks_.contains(id)) {
    std::vector<std::string> ids = {id};
    for (auto next = upcoming.rbegin(); next != upcoming.rend() && ids.size() < count; ++next) {
      ids.push_back(*next);
    }
    if (ids.size() > 1) RETURN_IF_ERROR(Read(ids, cancel));
  }
  const auto found = tasks_.find(id);
  if (found == tasks_.end()) return std::nullopt;
  std::optional<VersionedTask> task = std::move(found->second);
  tasks_.erase(found);
  return task;
}

int ReadAhead::BatchSizeAtCurrentPace() {
  const absl::Time now = context_.clock.Now();
  const absl::Duration pace = now - std::exchange(last_take_, now);
  if (pace <= absl::ZeroDuration()) return 1;  // the clock was set back
  return static_cast<int>(std::min<double>(kMaxTasks, absl::FDivDuration(kMaxAge, pace)));
}

absl::Status ReadAhead::Read(const std::vector<std::string>& ids, const CancelToken& cancel) {
  std::vector<EntityKey> keys;
  for (const std::string& id : ids) keys.push_back({kTaskKind, id});
  std::map<std::string, size_t> jobs;  // job id -> position in `keys`
  for (const std::string& id : ids) {
    const auto [job, is_new] = jobs.emplace(JobIdOf(id), keys.size());
    if (is_new) keys.push_back({kJobKind, job->first});
  }
  absl::StatusOr<LookupResult> read = context_.client.Lookup(keys, cancel);
  // The lookup fails if one key is unusable. The lookups of single tasks will show which one.
  if (absl::IsInvalidArgument(read.status())) return absl::OkStatus();
  RETURN_IF_ERROR(read.status());
  tasks_.clear();
  read_at_ = context_.clock.Now();
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::optional<StoredEntity>& job = (*read)[jobs.at(JobIdOf(ids[i]))];
    std::optional<StoredEntity>& task = (*read)[i];
    if (!task || (job && IsKilledJob(job->entity))) continue;
    tasks_.emplace(ids[i],
                   VersionedTask{TaskEntity(ids[i], std::move(task->entity)), task->version});
  }
  return absl::OkStatus();
}

}  // namespace sparkles
