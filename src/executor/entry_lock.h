// Locks on the entries of a folder that several workers share, and the traces of dead workers.
// The one hard idea: the lock file goes when it is released, so whoever waited for it may hold a
// file that has lost its name, and must then begin again.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/activity.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

namespace sparkles {

inline constexpr absl::string_view kLockSuffix = ".lock";
inline constexpr absl::string_view kRecordSuffix = ".ok";

// A download that goes on shows life with every piece. Who has not for so long is frozen, or cut
// off from the network; others had better help themselves.
inline constexpr absl::Duration kMaxQuiet = absl::Minutes(5);

// Whether `name` is that of an entry: a SHA-256 in hex.
bool IsEntryName(absl::string_view name);

// The right to work on one entry, among all threads and processes of the machine. The kernel takes
// it from a holder that dies.
class EntryLock {
 public:
  // Waits for the lock of the entry `path`, whose folder must exist. Cancelled with `activity`;
  // DeadlineExceeded if the holder of the lock has not shown life for kMaxQuiet. A wait that takes
  // long is told to `log`, which may be null.
  static absl::StatusOr<EntryLock> Take(const std::string& path, Clock& clock,
                                        const Activity& activity, const Log* log = nullptr);
  EntryLock(EntryLock&&) = default;
  EntryLock& operator=(EntryLock&&) = delete;
  ~EntryLock();

  // Tells those who wait that the work goes on. Thread-safe.
  void Touch() const;

 private:
  EntryLock(std::string lock_path, UniqueFd fd)
      : lock_path_(std::move(lock_path)), fd_(std::move(fd)) {}

  std::string lock_path_;
  UniqueFd fd_;
};

// Locks an unfinished file, so that nobody takes it for a leftover.
void MarkInUse(int fd);

// Removes lock files and unfinished files that nobody has locked and that were last written to more
// than an hour before `now`.
void RemoveLeftovers(const std::string& folder, absl::Time now);

}  // namespace sparkles
