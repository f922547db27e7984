// The state file FILE.state: an append-only file of changes that many workers share, and its locks.
//
// The locks are "open file description" locks (fcntl F_OFD_SETLK, Linux 3.15). The kernel releases
// them when the last descriptor of the open file is closed, so a killed worker releases its claims.
// No clock or process id is needed to detect its death. Byte 0 is the write lock. Each task has
// another byte, whose lock is the claim.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/fd.h"
#include "base/file_id.h"
#include "queue/state_line.h"
#include "queue/task_table.h"

namespace sparkles {

// The path of the state file of a tasks file. Resolves symlinks, so that all workers on one tasks
// file use the same state file.
std::string StatePathOf(absl::string_view tasks_path);

// The byte of the state file whose lock is the claim of the task: 62 bits of FNV-1a, so that the
// sum is a valid offset. If two tasks have the same byte, they only cannot run at the same time.
off_t LockByteOf(absl::string_view task_id);

// Messages begin with the path of the state file. Not thread-safe. Two objects on one file act like
// two workers, even in one process. If the file is removed, replaced or truncated while it is open,
// all claims are lost, and each later Lock returns FailedPrecondition.
class StateLog {
 public:
  // Holds the write lock until it is destroyed. Must not outlive its log.
  class WriteLock {
   public:
    WriteLock(WriteLock&& other) noexcept : log_(std::exchange(other.log_, nullptr)) {}
    WriteLock& operator=(WriteLock&&) = delete;
    ~WriteLock();

   private:
    friend class StateLog;
    explicit WriteLock(StateLog* log) : log_(log) {}
    StateLog* log_;
  };

  // Opens or creates the file and reads it into `table`. FailedPrecondition if the file system has
  // no such locks. If another process holds the write lock now, the first Lock reads the file. Sync
  // has an effect only with `durable`.
  static absl::StatusOr<StateLog> Open(std::string path, bool durable, TaskTable& table);
  // Opens the file read-only. NotFound if there is no file, Unavailable as in Lock. Afterwards only
  // IsTaskLocked and TakeDamageReports may be used.
  static absl::StatusOr<StateLog> OpenToRead(std::string path, TaskTable& table);

  StateLog(StateLog&&) = default;

  // Waits for the write lock, and reads the new lines of the file into `table`. Unavailable if
  // another process holds the lock for 2 s. Hold the lock only for microseconds, because all
  // workers wait for it. Removes a torn line at the end, whose writer died. Skips other damaged
  // lines.
  absl::StatusOr<WriteLock> Lock(TaskTable& table);

  // Messages about the lines that were skipped since the last call.
  std::vector<std::string> TakeDamageReports();

  // Appends one change completely or not at all, and applies it to `table`. Needs the write lock.
  absl::Status Append(const StateChange& change, TaskTable& table);

  // Locks a task, which claims it. False if another worker holds the lock.
  absl::StatusOr<bool> TryLockTask(const std::string& task_id);
  void UnlockTask(const std::string& task_id);
  bool HoldsTask(const std::string& task_id) const { return held_.contains(task_id); }
  // True if a worker holds the lock of the task.
  absl::StatusOr<bool> IsTaskLocked(const std::string& task_id) const;

  // Makes appended lines survive a power cut. Does nothing unless `durable`.
  absl::Status Sync() const;

  // All locks last until all duplicates of this descriptor are closed.
  int fd() const { return fd_.get(); }

 private:
  StateLog(std::string path, bool durable) : path_(std::move(path)), durable_(durable) {}
  absl::Status OpenAt(int flags);
  absl::Status CheckCurrent() const;
  absl::Status CatchUp(TaskTable& table);
  // Reads all new complete lines. Needs the write lock, because another worker could replace a torn
  // line. Returns the size of the file, including a torn line.
  absl::StatusOr<off_t> ReadNew(TaskTable& table);
  // Removes the bytes after the last complete line. An error if the file is not a state file.
  absl::Status CutTornLine(off_t size);
  absl::Status NotAStateFile(int64_t line_number, const absl::Status& status) const;
  absl::Status ReadLine(absl::string_view line, TaskTable& table);
  absl::Status ReadHeader(absl::string_view line);
  void SkipLine(int64_t line_number, const absl::Status& status);
  absl::Status Write(absl::string_view line);

  std::string path_;
  bool durable_;
  UniqueFd fd_;
  FileId id_;
  off_t offset_ = 0;   // end of the last line that was read or written
  int64_t lines_ = 0;  // number of lines before offset_
  // An error if line 1 is not a header. Then line 2 must show whether this is a state file.
  absl::Status header_;
  std::vector<std::string> damage_;
  int64_t skipped_ = 0;         // number of skipped lines; damage_ names the first ones
  std::set<std::string> held_;  // ids of the tasks that this object has locked
};

}  // namespace sparkles
