#include "executor/entry_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/status.h"

namespace sparkles {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(50);
constexpr absl::Duration kLogAfter = absl::Seconds(10);
// Far longer than any file stays unlocked between its creation and MarkInUse.
constexpr absl::Duration kLeftoverAge = absl::Hours(1);

// A wait for the lock of another worker. Logs one line, and has a limit.
class Wait {
 public:
  Wait(const std::string& lock_path, Clock& clock, const Log* log)
      : lock_path_(lock_path), clock_(clock), log_(log) {}

  absl::Status CheckHolder(int lock_fd) {
    const absl::Time now = clock_.Now();
    struct stat info;
    if (fstat(lock_fd, &info) == 0 && absl::TimeFromTimespec(info.st_mtim) != touched_) {
      touched_ = absl::TimeFromTimespec(info.st_mtim);
      quiet_since_ = now;
    }
    if (!logged_ && log_ != nullptr && now - begin_ > kLogAfter) {
      logged_ = true;
      log_->Info("waiting for another transfer of this or another worker, which holds ",
                 lock_path_);
    }
    if (now - quiet_since_ < kMaxQuiet) return absl::OkStatus();
    return absl::DeadlineExceededError(absl::StrCat(lock_path_,
                                                    ": its holder has shown no sign of life for ",
                                                    absl::FormatDuration(kMaxQuiet)));
  }

 private:
  const std::string& lock_path_;
  Clock& clock_;
  const Log* const log_;
  const absl::Time begin_ = clock_.Now();
  absl::Time quiet_since_ = begin_;
  absl::Time touched_ = absl::InfinitePast();  // when the holder last touched the lock
  bool logged_ = false;
};

void RemoveIfLeftover(const std::string& path, absl::Time now) {
  const auto fd = OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  struct stat info;
  if (!fd.ok() || fstat(fd->get(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  if (now - absl::TimeFromTimespec(info.st_mtim) < kLeftoverAge) return;
  const LockResult lock = TryLockNamed(fd->get(), path).value_or(LockResult::kHeldElsewhere);
  if (lock == LockResult::kAcquired) unlink(path.c_str());
}

}  // namespace

bool IsEntryName(absl::string_view name) {
  return name.size() == 64 && std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isxdigit(static_cast<unsigned char>(c));
         });
}

absl::StatusOr<EntryLock> EntryLock::Take(const std::string& path, Clock& clock,
                                          const Activity& activity, const Log* log) {
  const std::string lock_path = absl::StrCat(path, kLockSuffix);
  Wait wait(lock_path, clock, log);
  while (true) {
    ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(lock_path, O_RDWR | O_CREAT));
    ASSIGN_OR_RETURN(LockResult lock, TryLockNamed(fd.get(), lock_path));
    while (lock == LockResult::kHeldElsewhere) {
      RETURN_IF_ERROR(activity.ReportWait());
      RETURN_IF_ERROR(wait.CheckHolder(fd.get()));
      clock.Sleep(kPoll, activity.cancel());
      ASSIGN_OR_RETURN(lock, TryLockNamed(fd.get(), lock_path));
    }
    if (lock == LockResult::kAcquired) return EntryLock(lock_path, std::move(fd));
  }
}

void EntryLock::Touch() const { (void)futimens(fd_.get(), nullptr); }

EntryLock::~EntryLock() {
  // The file loses its name while it is locked. So no other worker takes it for the valid lock.
  if (fd_.valid()) unlink(lock_path_.c_str());
}

void MarkInUse(int fd) { (void)TryLock(fd); }

void RemoveLeftovers(const std::string& directory, absl::Time now) {
  const auto fd = OpenFile(directory, O_RDONLY | O_DIRECTORY);
  if (!fd.ok()) return;
  const auto remove = [&](absl::string_view name, unsigned char) {
    // Only locks of entries, because the user may keep a Cargo.lock or poetry.lock there.
    absl::string_view entry = name;
    const bool lock = absl::ConsumeSuffix(&entry, kLockSuffix) && IsEntryName(entry);
    if (lock || absl::StartsWith(name, kTempFilePrefix)) {
      RemoveIfLeftover(absl::StrCat(directory, "/", name), now);
    }
    return absl::OkStatus();
  };
  // Errors are ignored: a later call removes the rest.
  (void)ForEachEntry(fd->get(), directory, remove);
}

}  // namespace sparkles
