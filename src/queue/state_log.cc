#include "queue/state_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/path.h"
#include "base/status.h"
#include "queue/new_lines.h"

namespace sparkles {
namespace {

constexpr off_t kWriteLockByte = 0;
// Claims are locks on bytes far after the end of the file, which is allowed.
constexpr off_t kFirstTaskByte = off_t{1} << 32;
// The write lock is held for microseconds. A process that holds it for longer than this is stopped
// or stuck. The waiting worker must report that, and must react to signals.
constexpr int kMaxLockWaitMs = 2000;
constexpr int kMaxLockPauseMs = 20;

// Replaces the error of a file system without locks by a message with the remedy.
absl::Status LockError(const absl::Status& status, absl::string_view path) {
  const int error = ErrnoOf(status);
  if (error == EINVAL || error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": the file system cannot lock files; move the tasks file to a local disk"));
  }
  return status;
}

// Waits for the write lock (kExclusive), or until no worker has it (kShared).
absl::Status AwaitWriteLock(int fd, ByteLock lock, absl::string_view path) {
  int pause_ms = 1;
  for (int waited_ms = 0;; waited_ms += pause_ms) {
    const absl::StatusOr<bool> taken = TryLockByte(fd, kWriteLockByte, lock, path);
    if (!taken.ok()) return LockError(taken.status(), path);
    if (*taken) return absl::OkStatus();
    if (waited_ms >= kMaxLockWaitMs) {
      return absl::UnavailableError(absl::StrCat(path, ": another process has kept it locked for ",
                                                 waited_ms,
                                                 " ms; look for a worker that is stopped"));
    }
    pause_ms = std::min(waited_ms / 4 + 1, kMaxLockPauseMs);
    (void)poll(nullptr, 0, pause_ms);
  }
}

}  // namespace

off_t LockByteOf(absl::string_view task_id) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : task_id) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return kFirstTaskByte + static_cast<off_t>(hash >> 2);
}

std::string StatePathOf(absl::string_view tasks_path) {
  const std::string path(tasks_path);
  return absl::StrCat(RealPath(path).value_or(path), ".state");
}

StateLog::WriteLock::~WriteLock() {
  if (log_ != nullptr) (void)UnlockByte(log_->fd(), kWriteLockByte, log_->path_);
}

absl::StatusOr<StateLog> StateLog::Open(std::string path, bool durable, TaskTable& table) {
  StateLog log(std::move(path), durable);
  RETURN_IF_ERROR(log.OpenAt(O_RDWR | O_CREAT | O_APPEND));
  // Locks once, so that an error shows now and not at the first claim.
  const absl::Status locked = log.Lock(table).status();
  if (!locked.ok() && !absl::IsUnavailable(locked)) return locked;
  return log;
}

absl::StatusOr<StateLog> StateLog::OpenToRead(std::string path, TaskTable& table) {
  StateLog log(std::move(path), /*durable=*/false);
  RETURN_IF_ERROR(log.OpenAt(O_RDONLY));
  RETURN_IF_ERROR(AwaitWriteLock(log.fd(), ByteLock::kShared, log.path_));
  {
    const WriteLock write_lock(&log);
    table.Clear();
    RETURN_IF_ERROR(log.ReadNew(table).status());
    if (!log.header_.ok()) return log.NotAStateFile(1, log.header_);
  }
  return log;
}

absl::Status StateLog::OpenAt(int flags) {
  ASSIGN_OR_RETURN(fd_, OpenFile(path_, flags | O_NONBLOCK));  // a FIFO would block
  struct stat info;
  if (fstat(fd(), &info) != 0) return ErrnoError(errno, path_);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path_, ": not a regular file"));
  }
  id_ = IdOf(info);
  return absl::OkStatus();
}

absl::StatusOr<StateLog::WriteLock> StateLog::Lock(TaskTable& table) {
  RETURN_IF_ERROR(AwaitWriteLock(fd(), ByteLock::kExclusive, path_));
  WriteLock write_lock(this);
  RETURN_IF_ERROR(CheckCurrent());
  RETURN_IF_ERROR(CatchUp(table));
  return write_lock;
}

absl::Status StateLog::CheckCurrent() const {
  const auto lost = [this](absl::string_view how) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_, ": was ", how,
                     " while this worker ran, so the state of all tasks is lost; "
                     "start the worker again to run all tasks again"));
  };
  struct stat named;
  if (stat(path_.c_str(), &named) != 0) {
    const int error = errno;
    // The directory may be missing for a moment, for example if it is renamed or mounted again.
    struct stat opened;
    const bool removed = fstat(fd(), &opened) == 0 && opened.st_nlink == 0;
    return error == ENOENT && removed ? lost("removed") : ErrnoError(error, path_);
  }
  if (IdOf(named) != id_) return lost("replaced");
  return named.st_size < offset_ ? lost("cut") : absl::OkStatus();
}

absl::Status StateLog::CatchUp(TaskTable& table) {
  if (lines_ == 0) table.Clear();
  ASSIGN_OR_RETURN(const off_t size, ReadNew(table));
  if (!header_.ok()) return NotAStateFile(1, header_);
  if (size > offset_) RETURN_IF_ERROR(CutTornLine(size));
  if (lines_ > 0) return absl::OkStatus();
  RETURN_IF_ERROR(Write(FormatStateHeader()));
  return durable_ ? SyncDirectory(DirectoryOf(path_)) : absl::OkStatus();
}

absl::Status StateLog::CutTornLine(off_t size) {
  if (lines_ == 0) {
    // Another program's file with this name may be one line without a line end.
    const std::string header = FormatStateHeader();
    std::string torn(std::min(static_cast<size_t>(size), header.size() + 1), '\0');
    const ssize_t got = RetryOnEintr([&] { return pread(fd(), torn.data(), torn.size(), 0); });
    if (got < 0) return ErrnoError(errno, path_);
    torn.resize(static_cast<size_t>(got));
    const bool zeros = torn.find_first_not_of('\0') == std::string::npos;  // after a power cut
    if (!zeros && !absl::StartsWith(header, torn)) {
      return NotAStateFile(1, absl::InvalidArgumentError("is not the header of a state file"));
    }
  }
  return ftruncate(fd(), offset_) == 0 ? absl::OkStatus() : ErrnoError(errno, path_);
}

absl::StatusOr<off_t> StateLog::ReadNew(TaskTable& table) {
  return ReadNewLines(fd(), offset_, path_,
                      [&](absl::string_view line) { return ReadLine(line, table); });
}

absl::Status StateLog::ReadLine(absl::string_view line, TaskTable& table) {
  if (line.size() > kMaxStateLineBytes) {
    return NotAStateFile(lines_ + 1, absl::InvalidArgumentError("is too long for a state file"));
  }
  if (lines_ == 0 || !header_.ok()) RETURN_IF_ERROR(ReadHeader(line));
  if (lines_ > 0) {
    const auto change = ParseStateChange(line);
    if (change.ok()) {
      table.Apply(*change);
    } else {
      SkipLine(lines_ + 1, change.status());
    }
  }
  offset_ += static_cast<off_t>(line.size()) + 1;
  ++lines_;
  return absl::OkStatus();
}

// `line` is the first line of the file, or the second if the first is damaged. A second line with a
// right checksum proves that the file is a state file.
absl::Status StateLog::ReadHeader(absl::string_view line) {
  if (lines_ == 0) {
    header_ = CheckStateHeader(line);
    return absl::IsFailedPrecondition(header_) ? NotAStateFile(1, header_) : absl::OkStatus();
  }
  if (!HasValidChecksum(line)) return NotAStateFile(1, header_);
  SkipLine(1, header_);
  header_ = absl::OkStatus();
  return absl::OkStatus();
}

void StateLog::SkipLine(int64_t line_number, const absl::Status& status) {
  constexpr int64_t kMaxNamed = 10;
  if (++skipped_ > kMaxNamed) return;
  damage_.push_back(absl::StrCat(path_, ": line ", line_number, ": ", status.message(),
                                 "; the line is skipped, and its task may run again"));
}

std::vector<std::string> StateLog::TakeDamageReports() {
  const int64_t unnamed = skipped_ - static_cast<int64_t>(damage_.size());
  if (unnamed > 0) damage_.push_back(absl::StrCat(path_, ": ", unnamed, " more lines are skipped"));
  skipped_ = 0;
  return std::exchange(damage_, {});
}

absl::Status StateLog::NotAStateFile(int64_t line_number, const absl::Status& status) const {
  return absl::FailedPreconditionError(absl::StrCat(
      path_, ": line ", line_number, ": ", status.message(), "; delete the file to start over"));
}

absl::Status StateLog::Append(const StateChange& change, TaskTable& table) {
  RETURN_IF_ERROR(Write(FormatStateChange(change)));
  table.Apply(change);
  return absl::OkStatus();
}

absl::Status StateLog::Write(absl::string_view line) {
  absl::Status status = WriteAll(fd(), line, path_);
  if (!status.ok()) {
    // If this fails, too, the next worker that locks removes the torn line.
    (void)!ftruncate(fd(), offset_);
    return status;
  }
  offset_ += static_cast<off_t>(line.size());
  ++lines_;
  return absl::OkStatus();
}

absl::StatusOr<bool> StateLog::TryLockTask(const std::string& task_id) {
  const absl::StatusOr<bool> taken =
      TryLockByte(fd(), LockByteOf(task_id), ByteLock::kExclusive, path_);
  if (!taken.ok()) return LockError(taken.status(), path_);
  if (*taken) held_.insert(task_id);
  return taken;
}

void StateLog::UnlockTask(const std::string& task_id) {
  if (held_.erase(task_id) == 0) return;
  (void)UnlockByte(fd(), LockByteOf(task_id), path_);
}

absl::StatusOr<bool> StateLog::IsTaskLocked(const std::string& task_id) const {
  absl::StatusOr<bool> locked = IsByteLocked(fd(), LockByteOf(task_id), path_);
  return locked.ok() ? locked : LockError(locked.status(), path_);
}

absl::Status StateLog::Sync() const { return durable_ ? SyncData(fd(), path_) : absl::OkStatus(); }

}  // namespace sparkles
