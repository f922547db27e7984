#include "executor/live_log_notes.h"

namespace sparkles {
namespace {

constexpr absl::Duration kBetweenWarnings = absl::Minutes(10);

}  // namespace

bool LiveLogNotes::NoteRefusal(const std::string& bucket) {
  MutexLock lock(mutex_);
  return refused_.insert(bucket).second;
}

bool LiveLogNotes::IsRefused(const std::string& bucket) const {
  MutexLock lock(mutex_);
  return refused_.contains(bucket);
}

bool LiveLogNotes::MayWarn(absl::Time now) {
  MutexLock lock(mutex_);
  // The absolute difference: a clock that is set back must not silence warnings for long.
  if (warned_at_ && absl::AbsDuration(now - *warned_at_) < kBetweenWarnings) return false;
  warned_at_ = now;
  return true;
}

}  // namespace sparkles
