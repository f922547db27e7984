// Locks on files, for all threads and processes of the machine. The kernel takes a lock from a
// holder that dies.
// The one hard idea: a lock file that its holder removes loses its name. A worker that has opened
// the file before and locks it then holds a lock that no other worker will ever find.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// Whether `path` is a name of the open file `fd`. Does not follow a symlink at the end of `path`.
bool IsNamed(int fd, const std::string& path);

// Locks the whole file (flock) without waiting. False, and errno, if that fails.
bool TryLock(int fd);

enum class LockResult {
  kTaken,  // until the last duplicate of `fd` is closed
  kHeld,   // by another open file
  kGone,   // `path` does not name the file any more: open it again
};

// The same for a lock file that was opened as `path`. An error: the file system cannot lock files.
absl::StatusOr<LockResult> TryLockNamed(int fd, const std::string& path);

// Locks on single bytes (fcntl's "open file description" locks, Linux 3.15), which cost no
// descriptor each. The bytes need not exist. Errors carry errno, and name the file `name`.
enum class ByteLock { kShared, kExclusive };

// Takes or changes the lock of this open file without waiting; false if another open file has one
// that excludes it.
absl::StatusOr<bool> TryLockByte(int fd, off_t byte, ByteLock lock, absl::string_view name);
absl::Status UnlockByte(int fd, off_t byte, absl::string_view name);
// Whether another open file has a lock on the byte.
absl::StatusOr<bool> IsByteLocked(int fd, off_t byte, absl::string_view name);

}  // namespace sparkles
