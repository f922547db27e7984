// Reads and writes whole files, so that a reader finds a complete file or none.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/activity.h"
#include "base/fd.h"

namespace sparkles {

// A change within the same tick of the kernel's clock (at most 10 ms, HZ=100) leaves the same
// ctime. So the ctime proves something only if the file was older than this when it was checked.
inline constexpr absl::Duration kTimestampTick = absl::Milliseconds(20);

// Calls open(2) with O_CLOEXEC and repeats it on EINTR. The message names `path`.
// FailedPrecondition if `path` is a socket, or a device without a driver.
absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags, mode_t mode = 0666);

// The status for the errno `error` of openat(`directory_fd`, `path`). The message names `name`.
absl::Status OpenError(int directory_fd, const std::string& path, int error,
                       absl::string_view name);

// The whole content. NotFound if the file does not exist. FailedPrecondition if it is not a regular
// file or is longer than `max_bytes`, which limits the memory.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

// Writes all of `data` at the descriptor's position. `name` is for the error message.
absl::Status WriteAll(int fd, absl::string_view data, absl::string_view name);

// Like mkdir -p. Ok if the directory exists. FailedPrecondition if another kind of file has that
// name.
absl::Status MakeDirectories(const std::string& path, mode_t mode = 0777);

// FailedPrecondition if `path` is, perhaps through a symlink, a device, a FIFO or a socket. A file
// in its place would take it away from the whole machine (/dev/null).
absl::Status CheckReplaceable(const std::string& path);

// Like rm -rf, without following symlinks. Handles directories of any depth and without permission
// bits. Continues after an error and returns the first one. Ok if `path` does not exist. Each entry
// and each directory is work of `activity`, whose cancellation ends the removal.
absl::Status RemoveTree(const std::string& path, const Activity& activity = Activity());

// Calls fsync or fdatasync. Errors contain `name`. Ok if the file system does not support it
// (EINVAL on some network mounts).
absl::Status SyncFile(int fd, absl::string_view name);
absl::Status SyncData(int fd, absl::string_view name);

// Calls fsync for a directory, so that the names in it survive a power failure.
absl::Status SyncDirectory(const std::string& path);

// "/a/b" of "/a/b/c"; "/" of "/c"; "." of "c".
std::string DirectoryOf(absl::string_view path);
// "c" of "/a/b/c".
absl::string_view BaseName(absl::string_view path);

// The prefix of temporary names of unfinished files.
inline constexpr absl::string_view kTempFilePrefix = ".sparkles-";

// A file in the directory of `path` that gets its name from Commit. Without Commit, the destructor
// removes the file. A kill -9 leaves nothing behind if the file system supports O_TMPFILE;
// otherwise the next AtomicFile for `path` removes the leftover.
class AtomicFile {
 public:
  // Creates the file, without a name, with `mode` less umask. The directory must exist.
  static absl::StatusOr<AtomicFile> Create(std::string path, mode_t mode = 0666);
  AtomicFile(AtomicFile&&) = default;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  absl::Status Write(absl::string_view data) { return WriteAll(fd(), data, path_); }
  // Gives the file its name and replaces the old file. During the replacement the file has a
  // temporary name, which a kill -9 can leave behind. With `durable` the content and the name are
  // on disk after Commit. After an error the new file is removed and the old file is unchanged.
  absl::Status Commit(bool durable);

 private:
  AtomicFile(std::string path, std::string temp_path, UniqueFd fd)
      : path_(std::move(path)), temp_path_(std::move(temp_path)), fd_(std::move(fd)) {}
  absl::Status LinkIntoPlace();

  std::string path_;
  std::string temp_path_;  // empty: without a name (O_TMPFILE), nothing to remove
  UniqueFd fd_;
};

// Creates an AtomicFile, writes `data` and commits.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view data, bool durable);

}  // namespace sparkles
