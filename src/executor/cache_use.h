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
#include "base/clock.h"
#include "base/fd.h"
#include "storage/object_store.h"

namespace sparkles {

// Thread-safe.
class CacheUse {
 public:
  // `folder` must exist. An error also where the file system has no such locks.
  static absl::StatusOr<CacheUse> Open(const std::string& folder);

  // Until this object is gone, no worker removes the entry `hash` (64 lower-case hex digits). Waits
  // while the entry is being removed, and calls options.Report(0) meanwhile. Cancelled if Report
  // says so. DeadlineExceeded after a minute: the worker that removes the entry must be frozen. Any
  // other error means that the file system gives no lock.
  absl::Status Hold(absl::string_view hash, Clock& clock, const TransferOptions& options);

  // Takes the right to remove `hash`, until Release. False if a worker holds the entry.
  bool TryTake(absl::string_view hash);
  void Release(absl::string_view hash);

 private:
  explicit CacheUse(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace sparkles
