// Locks the entries of a directory that several workers share, and removes what dead workers left.
// The holder removes the lock file when it releases the lock. A worker that waited for the lock may
// then hold a file without a name, and must take the lock again.
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

// A download shows life with each piece. A worker that shows no life for this time is frozen or cut
// off from the network. Other workers then fetch the object themselves.
inline constexpr absl::Duration kMaxQuiet = absl::Minutes(5);

// Whether `name` is that of an entry: a SHA-256 in hex.
bool IsEntryName(absl::string_view name);

// The right to work on one entry, among all threads and processes of the machine. The kernel takes
// it from a holder that dies.
class EntryLock {
 public:
  // Waits for the lock of the entry `path`, whose directory must exist. Cancelled with `activity`.
  // DeadlineExceeded if the holder has not shown life for kMaxQuiet. Logs a long wait to `log`,
  // which may be null.
  static absl::StatusOr<EntryLock> Take(const std::string& path, Clock& clock,
                                        const Activity& activity, const Log* log = nullptr);
  EntryLock(EntryLock&&) = default;
  EntryLock& operator=(EntryLock&&) = delete;
  ~EntryLock();

  // Shows waiting workers that the work continues. Thread-safe.
  void Touch() const;

 private:
  EntryLock(std::string lock_path, UniqueFd fd)
      : lock_path_(std::move(lock_path)), fd_(std::move(fd)) {}

  std::string lock_path_;
  UniqueFd fd_;
};

// Locks an unfinished file, so that no worker takes it for a leftover.
void MarkInUse(int fd);

// Removes lock files and unfinished files that are not locked and were last written more than an
// hour before `now`.
void RemoveLeftovers(const std::string& directory, absl::Time now);

}  // namespace sparkles
