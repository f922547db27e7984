#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/fd.h"
#include "base/file_id.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Calls fcntl for one byte. Returns 0 or errno, and the answer in `lock`. EAGAIN if another open
// file has a conflicting lock.
int LockCall(int fd, int command, int type, off_t byte, struct flock& lock) {
  lock = {};
  lock.l_type = static_cast<int16_t>(type);
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  if (RetryOnEintr([&] { return fcntl(fd, command, &lock); }) == 0) return 0;
  return errno == EACCES ? EAGAIN : errno;
}

}  // namespace

bool IsNamed(int fd, const std::string& path) {
  struct stat opened;
  struct stat named;
  if (fstat(fd, &opened) != 0 || lstat(path.c_str(), &named) != 0) return false;
  if (IdOf(opened) == IdOf(named)) return true;
  // Some network file systems give a file another inode number at each stat.
  return opened.st_nlink > 0 && opened.st_dev == named.st_dev && opened.st_size == named.st_size &&
         opened.st_mtim.tv_sec == named.st_mtim.tv_sec &&
         opened.st_mtim.tv_nsec == named.st_mtim.tv_nsec;
}

bool TryLock(int fd) { return flock(fd, LOCK_EX | LOCK_NB) == 0; }

absl::StatusOr<LockResult> TryLockNamed(int fd, const std::string& path) {
  if (TryLock(fd)) return IsNamed(fd, path) ? LockResult::kAcquired : LockResult::kGone;
  if (errno == EWOULDBLOCK || errno == EINTR) return LockResult::kHeldElsewhere;
  return ErrnoError(errno, absl::StrCat(path, ": cannot be locked"));
}

absl::StatusOr<bool> TryLockByte(int fd, off_t byte, ByteLock lock, absl::string_view name) {
  struct flock answer;
  const int type = lock == ByteLock::kShared ? F_RDLCK : F_WRLCK;
  const int error = LockCall(fd, F_OFD_SETLK, type, byte, answer);
  if (error == 0 || error == EAGAIN) return error == 0;
  return ErrnoError(error, name);
}

absl::Status UnlockByte(int fd, off_t byte, absl::string_view name) {
  struct flock answer;
  const int error = LockCall(fd, F_OFD_SETLK, F_UNLCK, byte, answer);
  return error == 0 ? absl::OkStatus() : ErrnoError(error, name);
}

absl::StatusOr<bool> IsByteLocked(int fd, off_t byte, absl::string_view name) {
  struct flock answer;
  const int error = LockCall(fd, F_OFD_GETLK, F_WRLCK, byte, answer);
  if (error != 0) return ErrnoError(error, name);
  return answer.l_type != F_UNLCK;
}

}  // namespace sparkles
