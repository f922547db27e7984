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
// A removal is one unlink, of a file that may be large on a disk that is busy.
constexpr absl::Duration kMaxWait = absl::Minutes(1);

// Three hex digits: 4096 bytes.
off_t ByteOf(absl::string_view hash) {
  return std::strtol(std::string(hash.substr(0, 3)).c_str(), nullptr, 16);
}

}  // namespace

absl::StatusOr<CacheUse> CacheUse::Open(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", kName);
  constexpr int kFlags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
  absl::StatusOr<UniqueFd> opened = OpenFile(path, kFlags);
  struct stat there;
  if (!opened.ok() && lstat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode)) {
    // A task with write access to the cache has put a folder or a link in its place.
    RETURN_IF_ERROR(RemoveTree(path));
    opened = OpenFile(path, kFlags);
  }
  ASSIGN_OR_RETURN(UniqueFd fd, std::move(opened));
  RETURN_IF_ERROR(UnlockByte(fd.get(), 0, path));  // shows whether there are such locks
  return CacheUse(std::move(fd));
}

// Polls: only the holder of the lock could end a wait in the kernel.
absl::Status CacheUse::Hold(absl::string_view hash, Clock& clock, const Activity& activity) {
  const absl::Time end = clock.Now() + kMaxWait;
  while (true) {
    ASSIGN_OR_RETURN(const bool held,
                     TryLockByte(fd_.get(), ByteOf(hash), ByteLock::kShared, kName));
    if (held) return absl::OkStatus();
    RETURN_IF_ERROR(activity.Continue());
    if (clock.Now() > end) {
      return absl::DeadlineExceededError(absl::StrCat(
          "a worker has not finished removing an input for ", absl::FormatDuration(kMaxWait)));
    }
    clock.Sleep(kPoll, activity.cancel());
  }
}

bool CacheUse::TryTake(absl::string_view hash) {
  return TryLockByte(fd_.get(), ByteOf(hash), ByteLock::kExclusive, kName).value_or(false);
}

void CacheUse::Release(absl::string_view hash) { (void)UnlockByte(fd_.get(), ByteOf(hash), kName); }

}  // namespace sparkles
