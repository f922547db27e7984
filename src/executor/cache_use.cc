#include "executor/cache_use.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"

namespace sparkles {
namespace {

constexpr char kName[] = "uses.lock";
constexpr absl::Duration kPoll = absl::Milliseconds(10);
// A removal is one unlink, of a file that may be large on a disk that is busy.
constexpr absl::Duration kMaxWait = absl::Minutes(1);

// 0 or errno.
int LockByte(int fd, int command, int type, absl::string_view hash) {
  struct flock lock = {};
  lock.l_type = static_cast<int16_t>(type);
  lock.l_whence = SEEK_SET;
  // Three hex digits: 4096 bytes.
  lock.l_start = std::strtol(std::string(hash.substr(0, 3)).c_str(), nullptr, 16);
  lock.l_len = 1;
  while (fcntl(fd, command, &lock) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
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
  const int error = LockByte(fd.get(), F_OFD_SETLK, F_UNLCK, "000");
  if (error != 0) return ErrnoError(error, path);
  return CacheUse(std::move(fd));
}

// Not F_OFD_SETLKW: nothing would end that but who holds the lock.
absl::Status CacheUse::Hold(absl::string_view hash, Clock& clock, const TransferOptions& options) {
  const CancelToken never;
  const CancelToken& cancel = options.cancel != nullptr ? *options.cancel : never;
  const absl::Time end = clock.Now() + kMaxWait;
  while (true) {
    const int error = LockByte(fd_.get(), F_OFD_SETLK, F_RDLCK, hash);
    if (error == 0) return absl::OkStatus();
    if (error != EAGAIN && error != EACCES) return ErrnoError(error, kName);
    RETURN_IF_ERROR(options.Report(0));
    if (clock.Now() > end) {
      return absl::DeadlineExceededError(absl::StrCat(
          "a worker has not finished removing an input for ", absl::FormatDuration(kMaxWait)));
    }
    clock.Sleep(kPoll, cancel);
  }
}

bool CacheUse::TryTake(absl::string_view hash) {
  return LockByte(fd_.get(), F_OFD_SETLK, F_WRLCK, hash) == 0;
}

void CacheUse::Release(absl::string_view hash) {
  (void)LockByte(fd_.get(), F_OFD_SETLK, F_UNLCK, hash);
}

}  // namespace sparkles
