// Remembers what the live logs of a worker's tasks have logged, to avoid repeated warnings.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace sparkles {

// Thread-safe.
class LiveLogNotes {
 public:
  // Notes that objects in `bucket` cannot be replaced. False if this was noted before.
  bool NoteRefusal(const std::string& bucket);
  bool IsRefused(const std::string& bucket) const;

  // True at most once in ten minutes: the caller may log a warning about a failed send.
  bool MayWarn(absl::Time now);

 private:
  mutable Mutex mutex_;
  std::set<std::string> refused_ ABSL_GUARDED_BY(mutex_);  // buckets
  std::optional<absl::Time> warned_at_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
