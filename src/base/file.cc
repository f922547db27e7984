#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/file_lock.h"
#include "base/random.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Unique among all processes that share the directory. Containers on one disk may all have pid 1.
std::string UniqueNameBeside(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  static const uint64_t nonce = [] {
    uint64_t value = 0;
    FillRandom(&value, sizeof value);
    return value;
  }();
  return absl::StrCat(DirectoryOf(path), "/", kTempFilePrefix, getpid(), "-", absl::Hex(nonce), "-",
                      counter++, ".tmp");
}

// The same name for each attempt at `path`, so that the next attempt finds the file of a killed
// one.
std::string UsualNameBeside(const std::string& path) {
  return absl::StrCat(DirectoryOf(path), "/", kTempFilePrefix,
                      absl::Hex(Crc32c(BaseName(path)), absl::kZeroPad8), ".tmp");
}

// Removes the unfinished file `path` if no process holds its lock, because then its writer is dead.
bool RemoveLeftover(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info;
  if (!fd.valid() || fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  return TryLockNamed(fd.get(), path).value_or(LockResult::kHeldElsewhere) ==
             LockResult::kAcquired &&
         unlink(path.c_str()) == 0;
}

// Calls `make` with temporary names beside `path` while it returns AlreadyExists. Returns the last
// name.
absl::StatusOr<std::string> MakeTemp(const std::string& path,
                                     absl::FunctionRef<absl::Status(const std::string&)> make) {
  std::string name = UsualNameBeside(path);
  absl::Status made = make(name);
  if (absl::IsAlreadyExists(made) && RemoveLeftover(name)) made = make(name);
  if (absl::IsAlreadyExists(made)) {
    // Another attempt writes this file, or another path has the same checksum.
    name = UniqueNameBeside(path);
    made = make(name);
  }
  if (!made.ok()) return made;
  return name;
}

// A file without a name can get a name only through /proc, or with a rare capability.
bool CanLinkNameless() {
  static const bool can = access("/proc/self/fd", X_OK) == 0;
  return can;
}

// Calls mkdir. Ok if the directory exists. NotFound if the parent directory does not exist.
absl::Status MakeOneDirectory(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0) return absl::OkStatus();
  const int error = errno;
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    // On a dead mount stat fails too, and its error is the cause. ENOENT means a dangling symlink.
    return ErrnoError(error == EEXIST && errno != ENOENT ? errno : error, path);
  }
  if (S_ISDIR(info.st_mode)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path, ": not a directory"));
}

int LinkNameless(int fd, const std::string& path) {
  const std::string proc_path = absl::StrCat("/proc/self/fd/", fd);
  return linkat(AT_FDCWD, proc_path.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW);
}

}  // namespace

absl::Status OpenError(int directory_fd, const std::string& path, int error,
                       absl::string_view name) {
  struct stat info;
  // On a dead mount stat fails with the same two errors.
  const bool ambiguous = error == ENXIO || error == ENODEV;
  if (ambiguous && fstatat(directory_fd, path.c_str(), &info, 0) == 0 && !S_ISREG(info.st_mode) &&
      !S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(name, ": not a regular file"));
  }
  return ErrnoError(error, name);
}

absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags, mode_t mode) {
  UniqueFd fd(RetryOnEintr([&] { return open(path.c_str(), flags | O_CLOEXEC, mode); }));
  if (!fd.valid()) return OpenError(AT_FDCWD, path, errno, path);
  return fd;
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  // O_NONBLOCK: open must not wait on a FIFO before fstat shows the type.
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path, O_RDONLY | O_NONBLOCK));
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return ErrnoError(errno, path);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": not a regular file"));
  }
  std::string content;
  char buffer[8 * 1024];  // a stack can have only 64 KiB
  while (true) {
    const ssize_t got = RetryOnEintr([&] { return read(fd.get(), buffer, sizeof buffer); });
    if (got < 0) return ErrnoError(errno, path);
    if (got == 0) return content;
    content.append(buffer, static_cast<size_t>(got));
    if (content.size() > max_bytes) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": longer than ", max_bytes, " bytes"));
    }
  }
}

absl::Status WriteAll(int fd, absl::string_view data, absl::string_view name) {
  while (!data.empty()) {
    const ssize_t written = RetryOnEintr([&] { return write(fd, data.data(), data.size()); });
    if (written < 0) return ErrnoError(errno, name);
    data.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// A loop and no recursion, because a path may have 2000 elements and a stack few kilobytes.
absl::Status MakeDirectories(const std::string& path, mode_t mode) {
  if (path.empty()) return absl::InvalidArgumentError("empty directory name");
  // First go back to an element that exists or can be made.
  size_t end = path.size();
  absl::Status status = MakeOneDirectory(path, mode);
  while (absl::IsNotFound(status)) {
    end = path.rfind('/', end - 1);
    if (end == std::string::npos || end == 0) return status;
    status = MakeOneDirectory(path.substr(0, end), mode);
  }
  // Then make the following elements.
  while (status.ok() && end < path.size()) {
    end = std::min(path.find('/', end + 1), path.size());
    status = MakeOneDirectory(path.substr(0, end), mode);
  }
  return status;
}

absl::Status SyncFile(int fd, absl::string_view name) {
  return fsync(fd) == 0 || errno == EINVAL ? absl::OkStatus() : ErrnoError(errno, name);
}

absl::Status SyncData(int fd, absl::string_view name) {
  return fdatasync(fd) == 0 || errno == EINVAL ? absl::OkStatus() : ErrnoError(errno, name);
}

absl::Status SyncDirectory(const std::string& path) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path, O_RDONLY | O_DIRECTORY));
  return SyncFile(fd.get(), path);
}

std::string DirectoryOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return ".";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

absl::string_view BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

absl::Status CheckReplaceable(const std::string& path) {
  struct stat there;
  const bool exists = stat(path.c_str(), &there) == 0;
  // A link to a directory would also be replaced, which is never intended.
  if (absl::EndsWith(path, "/") || (exists && S_ISDIR(there.st_mode))) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": Is a directory"));
  }
  if (exists && !S_ISREG(there.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": not a regular file"));
  }
  return absl::OkStatus();
}

absl::StatusOr<AtomicFile> AtomicFile::Create(std::string path, mode_t mode) {
  if (CanLinkNameless()) {
    auto nameless = OpenFile(DirectoryOf(path), O_TMPFILE | O_RDWR, mode);
    if (nameless.ok()) return AtomicFile(std::move(path), "", *std::move(nameless));
    // Ignore the error: the file system may not support O_TMPFILE. Other errors occur again below.
  }
  UniqueFd fd;
  auto temp_path = MakeTemp(path, [&](const std::string& name) -> absl::Status {
    ASSIGN_OR_RETURN(fd, OpenFile(name, O_CREAT | O_EXCL | O_RDWR, mode));
    // The lock tells other workers that the writer lives. Another worker may have removed the file
    // before this lock.
    (void)TryLock(fd.get());
    return IsNamed(fd.get(), name) ? absl::OkStatus() : absl::AlreadyExistsError(name);
  });
  if (!temp_path.ok()) return Annotate(temp_path.status(), path);
  return AtomicFile(std::move(path), *std::move(temp_path), std::move(fd));
}

AtomicFile::~AtomicFile() {
  if (fd_.valid() && !temp_path_.empty() && IsNamed(fd(), temp_path_)) unlink(temp_path_.c_str());
}

absl::Status AtomicFile::LinkIntoPlace() {
  if (temp_path_.empty()) {
    if (LinkNameless(fd(), path_) == 0) return absl::OkStatus();
    if (errno != EEXIST) return ErrnoError(errno, path_);
    // The name exists. Only a rename replaces it atomically, and a rename needs a temporary name.
    (void)TryLock(fd());
    ASSIGN_OR_RETURN(temp_path_, MakeTemp(path_, [&](const std::string& name) {
                       return LinkNameless(fd(), name) == 0 ? absl::OkStatus()
                                                            : ErrnoError(errno, path_);
                     }));
  }
  // If the file system does not share locks between machines, a worker on another machine may have
  // removed this file as a leftover.
  if (!IsNamed(fd(), temp_path_)) {
    return absl::AbortedError(absl::StrCat(path_, ": another worker writes this file"));
  }
  if (rename(temp_path_.c_str(), path_.c_str()) != 0) return ErrnoError(errno, path_);
  temp_path_.clear();
  return absl::OkStatus();
}

absl::Status AtomicFile::Commit(bool durable) {
  if (durable) RETURN_IF_ERROR(SyncFile(fd(), path_));
  RETURN_IF_ERROR(LinkIntoPlace());
  // Network file systems report a failed write only at close.
  if (close(fd_.release()) != 0 && errno != EINTR) return ErrnoError(errno, path_);
  if (durable) return SyncDirectory(DirectoryOf(path_));
  return absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view data, bool durable) {
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  RETURN_IF_ERROR(file.Write(data));
  return file.Commit(durable);
}

}  // namespace sparkles
