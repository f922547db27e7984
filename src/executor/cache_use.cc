#include "executor/cache_use.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/status.h"

namespace sparkles {
namespace {

constexpr char kName[] = "uses.lock";
constexpr absl::Duration kPoll = absl::Milliseconds(10);
// The lock is held during one unlink. For a large file on a busy disk this can take seconds.
constexpr absl::Duration kMaxWait = absl::Minutes(1);

// Three hex digits select one of 4096 bytes.
off_t ByteOf(absl::string_view hash) {
  return std::strtol(std::string(hash.substr(0, 3)).c_str(), nullptr, 16);
}

}  // namespace

absl::StatusOr<CacheUse> CacheUse::Open(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", kName);
  constexpr int kFlags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
  absl::StatusOr<UniqueFd> opened = OpenFile(path, kFlags);
  struct stat there;
  if (!opened.ok() && lstat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    // A task with write access to the cache has replaced the file by a directory or a link.
    RETURN_IF_ERROR(RemoveTree(path));
    opened = OpenFile(path, kFlags);
  }
  ASSIGN_OR_RETURN(UniqueFd fd, std::move(opened));
  RETURN_IF_ERROR(UnlockByte(fd.get(), 0, path));  // an error if there are no such locks
  return CacheUse(std::move(fd));
}

// Polls, because a wait in the kernel could not be cancelled.
absl::Status CacheUse::Hold(absl::string_view hash, Clock& clock, const Activity& activity) {
  const absl::Time end = clock.Now() + kMaxWait;
  while (true) {
    ASSIGN_OR_RETURN(const bool held,
                     TryLockByte(fd_.get(), ByteOf(hash), ByteLock::kShared, kName));
    if (held) return absl::OkStatus();
    RETURN_IF_ERROR(activity.ReportWait());
    if (clock.Now() > end) {
      return absl::DeadlineExceededError(absl::StrCat(
          "a worker has not finished removing an input for ", absl::FormatDuration(kMaxWait)));
    }
    clock.Sleep(kPoll, activity.cancel());
  }
}

bool CacheUse::TryLockForRemoval(absl::string_view hash) {
  return TryLockByte(fd_.get(), ByteOf(hash), ByteLock::kExclusive, kName).value_or(false);
}

void CacheUse::Release(absl::string_view hash) { (void)UnlockByte(fd_.get(), ByteOf(hash), kName); }

}  // namespace sparkles
