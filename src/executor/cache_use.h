// Who needs which entries of the cache to stay: tasks with symlinks into it.
// The one hard idea: locks on the bytes of one file in the cache folder, one byte for each 4096th
// of all entries, so that a task with any number of links costs one descriptor and the kernel few
// locks. They are held by an open file, so they end with the worker, however it ends.
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

  // Until this object is gone, nobody removes the entry `hash` (64 lower-case hex digits). Waits
  // for as long as a removal takes. Cancelled with `activity`. DeadlineExceeded after a minute:
  // the worker that removes the entry must be frozen. Any other error: there is no lock to be had
  // (from the server of a network's file system).
  absl::Status Hold(absl::string_view hash, Clock& clock, const Activity& activity);

  // For who removes entries: the right to remove `hash`, until Release. False if somebody holds it.
  bool TryTake(absl::string_view hash);
  void Release(absl::string_view hash);

 private:
  explicit CacheUse(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace sparkles
