// Keeps the cache entries that running tasks link to from being removed.
// The locks are on the first 4096 bytes of one file in the cache directory. The hash of an entry
// selects the byte. So a task with many links needs one descriptor and at most 4096 locks. The open
// file holds the locks, so that they end with the worker.
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
  // `directory` must exist. An error if the file system does not support such locks.
  static absl::StatusOr<CacheUse> Open(const std::string& directory);

  // Keeps the entry `hash` (64 lower-case hex digits) in the cache until this object is destroyed.
  // Waits while a worker removes the entry. Cancelled with `activity`. DeadlineExceeded after a
  // minute, because that worker must be frozen. Any other error means that the file system refuses
  // the lock.
  absl::Status Hold(absl::string_view hash, Clock& clock, const Activity& activity);

  // Locks the entry `hash` for its removal, until Release. False if a worker holds the entry.
  bool TryLockForRemoval(absl::string_view hash);
  void Release(absl::string_view hash);

 private:
  explicit CacheUse(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace sparkles
