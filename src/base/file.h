// Files, whole and atomic: what a reader finds under a name is complete, or is not there.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/activity.h"
#include "base/fd.h"

namespace sparkles {

// open(2) with O_CLOEXEC, repeated on EINTR. The message names `path`. FailedPrecondition if `path`
// is a socket, or a device without a driver.
absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags, mode_t mode = 0666);

// The status for the errno `error` of openat(`folder_fd`, `path`). The message names `name`.
absl::Status OpenError(int folder_fd, const std::string& path, int error, absl::string_view name);

// The whole content. NotFound if absent; FailedPrecondition if not a regular file or longer than
// `max_bytes` (the guard against reading something endless into memory).
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

// Writes all of `data` at the descriptor's position. `name` is for the error message.
absl::Status WriteAll(int fd, absl::string_view data, absl::string_view name);

// mkdir -p. Ok if it exists already; FailedPrecondition if something else has that name.
absl::Status MakeFolders(const std::string& path, mode_t mode = 0777);

// FailedPrecondition if `path` names a device, a FIFO or a socket, perhaps through a symlink: put
// in its place, a file would take it away from everybody on this machine (/dev/null).
absl::Status CheckReplaceable(const std::string& path);

// rm -rf that never follows a symlink and copes with folders of any depth and without permission
// bits. Goes on after an error and reports the first. Ok if `path` does not exist. Each entry and
// each folder is work of `activity`, whose cancellation ends the removal.
absl::Status RemoveTree(const std::string& path, const Activity& activity = Activity());

// fsync, or fdatasync, of an open file, which errors call `name`. Ok where the file system has no
// notion of it (EINVAL: some network mounts).
absl::Status SyncFile(int fd, absl::string_view name);
absl::Status SyncData(int fd, absl::string_view name);

// fsync of a folder, so that the names in it survive a power cut.
absl::Status SyncFolder(const std::string& path);

// "/a/b" of "/a/b/c"; "/" of "/c"; "." of "c".
std::string FolderOf(absl::string_view path);
// "c" of "/a/b/c".
absl::string_view BaseName(absl::string_view path);

// How the names of unfinished files begin where they must have one.
inline constexpr absl::string_view kTempFilePrefix = ".sparkles-";

// A file under construction in the folder of `path`; only Commit gives it its name. If it is
// destroyed without Commit nothing is left behind; where the file system knows O_TMPFILE that is
// true even for kill -9. Elsewhere the next AtomicFile for `path` removes the leftover of kill -9.
class AtomicFile {
 public:
  // Makes the (nameless) file with `mode` less umask. The folder must exist.
  static absl::StatusOr<AtomicFile> Create(std::string path, mode_t mode = 0666);
  AtomicFile(AtomicFile&&) = default;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  absl::Status Write(absl::string_view data) { return WriteAll(fd(), data, path_); }
  // Gives the file its name, replacing what had it (for that instant it has a temporary name, which
  // kill -9 can leave). With `durable` the content and the name are on disk when this returns.
  // After an error the file is gone; the old content of `path` is intact.
  absl::Status Commit(bool durable);

 private:
  AtomicFile(std::string path, std::string temp_path, UniqueFd fd)
      : path_(std::move(path)), temp_path_(std::move(temp_path)), fd_(std::move(fd)) {}
  absl::Status GiveName();

  std::string path_;
  std::string temp_path_;  // empty: nameless (O_TMPFILE), nothing to remove
  UniqueFd fd_;
};

// Create, Write, Commit.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view data, bool durable);

}  // namespace sparkles
