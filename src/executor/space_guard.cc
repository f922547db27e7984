#include "executor/space_guard.h"

#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "executor/cache_eviction.h"
#include "executor/disk_space.h"

namespace sparkles {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;

}  // namespace

absl::Status SpaceGuard::Check() {
  if (options_.cache_bytes) Evict(0, *options_.cache_bytes);
  RETURN_IF_ERROR(CheckDirectory(options_.tasks_dir, "--tasksDir"));
  return CheckDirectory(options_.cache_dir, "--cacheDir");
}

absl::Status SpaceGuard::CheckDirectory(const std::string& directory, absl::string_view flag) {
  const std::string name = absl::StrCat(flag, ": ", directory);
  // A task may have removed the directory.
  if (access(directory.c_str(), F_OK) != 0) (void)MakeDirectories(directory);
  ASSIGN_OR_RETURN(DiskSpace space, MeasureSpace(directory, options_.min_free_bytes, name));
  if (space.read_only) return MachineFault(ErrnoError(EROFS, name));
  if (access(directory.c_str(), W_OK | X_OK) != 0) return MachineFault(ErrnoError(errno, name));
  if ((space.lacks_bytes() || space.lacks_files()) &&
      OnSameFileSystem(directory, options_.cache_dir)) {
    // The number of inodes that an eviction frees is unknown, so all unused entries go.
    Evict(space.lacks_files() ? UINT64_MAX : space.least_bytes - space.free_bytes, UINT64_MAX);
    ASSIGN_OR_RETURN(space, MeasureSpace(directory, options_.min_free_bytes, name));
  }
  return ExplainLackOfSpace(space, name);
}

void SpaceGuard::Evict(uint64_t bytes, uint64_t limit) {
  const Evicted evicted = EvictEntries(options_.cache_dir, bytes, limit, activity_);
  if (!evicted.locks.ok() && !warned_) {
    warned_ = true;
    log_.Warning("--cacheSize has no effect, because the cache's lock file cannot be used: ",
                 evicted.locks.message());
  }
  if (evicted.entries == 0) return;
  log_.Info("removed ", evicted.entries, " inputs (", evicted.bytes / kMebibyte,
            " MiB) from the cache; ", evicted.bytes_left / kMebibyte, " MiB are left");
}

}  // namespace sparkles
