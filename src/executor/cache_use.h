// Who needs which entries of the cache to stay: tasks with symlinks into it.
// The locks are on bytes of one file in the cache directory, one byte for each 4096th of all
// entries, so that a task with any number of links needs one descriptor and few locks of the
// kernel. An open file holds the locks, so that they end with the worker.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/activity.h"
#include "base/clock.h"
#include "base/fd.h"

namespace sparkles {

// Thread-safe.
class CacheUse {
 public:
  // `folder` must exist. An error also where the file system has no such locks.
  static absl::StatusOr<CacheUse> Open(const std::string& folder);

  // Until this object is gone, no worker removes the entry `hash` (64 lower-case hex digits). Waits
  // while the entry is being removed. Cancelled with `activity`. DeadlineExceeded after a minute:
  // the worker that removes the entry must be frozen. Any other error means that the file system
  // gives no lock.
  absl::Status Hold(absl::string_view hash, Clock& clock, const Activity& activity);

  // Takes the right to remove `hash`, until Release. False if a worker holds the entry.
  bool TryTake(absl::string_view hash);
  void Release(absl::string_view hash);

 private:
  explicit CacheUse(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace sparkles
