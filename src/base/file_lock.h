// Locks files among all threads and processes of the machine. The kernel releases the locks of a
// process that dies.
// When the holder removes a lock file, the file loses its name. Another worker that opened the file
// before can still lock it, but no other worker finds that lock. TryLockNamed detects this.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// True if `path` is a name of the open file `fd`. Does not follow a symlink at the end of `path`.
bool IsNamed(int fd, const std::string& path);

// Locks the whole file (flock) without waiting. False, with errno, on failure.
bool TryLock(int fd);

enum class LockResult {
  kAcquired,       // until the last duplicate of `fd` is closed
  kHeldElsewhere,  // by another open file
  kGone,           // `path` is no longer a name of the file: open it again
};

// Locks the file that was opened as `path`. An error means that the file system does not support
// locks.
absl::StatusOr<LockResult> TryLockNamed(int fd, const std::string& path);

// The functions below lock single bytes (fcntl's "open file description" locks, Linux 3.15). Such a
// lock needs no descriptor of its own, and the byte need not exist. Errors carry errno and name the
// file `name`.
enum class ByteLock { kShared, kExclusive };

// Takes or changes this open file's lock without waiting. False if another open file has a
// conflicting lock.
absl::StatusOr<bool> TryLockByte(int fd, off_t byte, ByteLock lock, absl::string_view name);
absl::Status UnlockByte(int fd, off_t byte, absl::string_view name);
// True if another open file has a lock on the byte.
absl::StatusOr<bool> IsByteLocked(int fd, off_t byte, absl::string_view name);

}  // namespace sparkles
