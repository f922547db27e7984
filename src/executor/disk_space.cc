#include "executor/disk_space.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sparkles {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;
constexpr uint64_t kDefaultFloor = 100 * kMebibyte;
// Inodes. A task needs some for its directories, and one for each of its files.
constexpr uint64_t kMinFreeFiles = 100;

uint64_t BytesOf(fsblkcnt_t blocks, const struct statvfs& info) {
  return uint64_t{blocks} * info.f_frsize;
}

// In the units of the flag: powers of 1024.
std::string BytesText(uint64_t bytes) {
  if (bytes >= kMebibyte) return absl::StrCat(bytes / kMebibyte, " MiB");
  return bytes >= 1024 ? absl::StrCat(bytes / 1024, " KiB") : absl::StrCat(bytes, " bytes");
}

}  // namespace

bool DiskSpace::lacks_files() const { return free_files && *free_files < kMinFreeFiles; }

absl::StatusOr<DiskSpace> MeasureSpace(const std::string& directory,
                                       std::optional<uint64_t> min_free_bytes,
                                       absl::string_view name) {
  struct statvfs info;
  if (statvfs(directory.c_str(), &info) != 0) return MachineFault(ErrnoError(errno, name));
  DiskSpace space;
  space.free_bytes = BytesOf(info.f_bavail, info);
  space.least_bytes =
      min_free_bytes.value_or(std::min(kDefaultFloor, BytesOf(info.f_blocks, info) / 100));
  if (info.f_files > 0) space.free_files = info.f_favail;
  space.read_only = (info.f_flag & ST_RDONLY) != 0;
  return space;
}

absl::Status ExplainLackOfSpace(const DiskSpace& space, absl::string_view name) {
  if (space.lacks_bytes()) {
    return MachineFault(absl::ResourceExhaustedError(
        absl::StrCat(name, ": ", BytesText(space.free_bytes), " are free, and --minFreeSpace is ",
                     BytesText(space.least_bytes))));
  }
  if (space.lacks_files()) {
    return MachineFault(absl::ResourceExhaustedError(
        absl::StrCat(name, ": only ", *space.free_files, " more files can be created (inodes)")));
  }
  return absl::OkStatus();
}

}  // namespace sparkles
