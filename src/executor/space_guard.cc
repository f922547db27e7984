#include "executor/space_guard.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "executor/cache_eviction.h"

namespace sparkles {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;
constexpr uint64_t kDefaultFloor = 100 * kMebibyte;
// Inodes. A task needs some for its directories, and one for each of its files.
constexpr uint64_t kMinFreeFiles = 100;

uint64_t BytesOf(fsblkcnt_t blocks, const struct statvfs& info) {
  return uint64_t{blocks} * info.f_frsize;
}

uint64_t FloorOf(const SpaceOptions& options, const struct statvfs& info) {
  if (options.min_free_bytes) return *options.min_free_bytes;
  return std::min(kDefaultFloor, BytesOf(info.f_blocks, info) / 100);
}

// In the units of the flag: powers of 1024.
std::string BytesText(uint64_t bytes) {
  if (bytes >= kMebibyte) return absl::StrCat(bytes / kMebibyte, " MiB");
  return bytes >= 1024 ? absl::StrCat(bytes / 1024, " KiB") : absl::StrCat(bytes, " bytes");
}

// False on file systems that do not limit the number of files.
bool LacksFiles(const struct statvfs& info) {
  return info.f_files > 0 && info.f_favail < kMinFreeFiles;
}

}  // namespace

absl::Status SpaceGuard::Check() {
  if (options_.cache_bytes) Evict(0, *options_.cache_bytes);
  RETURN_IF_ERROR(CheckFolder(options_.tasks_dir, "--tasksDir"));
  return CheckFolder(options_.cache_dir, "--cacheDir");
}

absl::Status SpaceGuard::CheckFolder(const std::string& folder, absl::string_view flag) {
  const std::string name = absl::StrCat(flag, ": ", folder);
  // A task may have removed the directory.
  if (access(folder.c_str(), F_OK) != 0) (void)MakeFolders(folder);
  struct statvfs info;
  if (statvfs(folder.c_str(), &info) != 0) return MachineFault(ErrnoError(errno, name));
  if ((info.f_flag & ST_RDONLY) != 0) return MachineFault(ErrnoError(EROFS, name));
  if (access(folder.c_str(), W_OK | X_OK) != 0) return MachineFault(ErrnoError(errno, name));
  const uint64_t floor = FloorOf(options_, info);
  const bool needs_bytes = BytesOf(info.f_bavail, info) < floor;
  if ((needs_bytes || LacksFiles(info)) && OnOneDisk(folder, options_.cache_dir)) {
    // The number of inodes that an eviction frees is unknown, so all unused entries go.
    Evict(LacksFiles(info) ? UINT64_MAX : floor - BytesOf(info.f_bavail, info), UINT64_MAX);
    if (statvfs(folder.c_str(), &info) != 0) return MachineFault(ErrnoError(errno, name));
  }
  const uint64_t free = BytesOf(info.f_bavail, info);
  if (free < floor) {
    return MachineFault(absl::ResourceExhaustedError(absl::StrCat(
        name, ": ", BytesText(free), " are free, and --minFreeSpace is ", BytesText(floor))));
  }
  if (LacksFiles(info)) {
    return MachineFault(absl::ResourceExhaustedError(
        absl::StrCat(name, ": only ", info.f_favail, " more files can be created (inodes)")));
  }
  return absl::OkStatus();
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
