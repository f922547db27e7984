// FILE.state: an append-only file of changes that many workers share, and its locks.
//
// The one hard idea: locks are "open file description" locks (fcntl F_OFD_SETLK, Linux 3.15). They
// live exactly as long as somebody holds the description open, so that a worker that was killed
// lets go of its claims without doing anything, and nothing has to be guessed from clocks or
// process ids. Byte 0 is the right to append; the byte that belongs to a task is its claim.
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

// The state file of a task file, beside the file that symlinks lead to: whatever name is used, all
// workers meet there.
std::string StatePathOf(absl::string_view tasks_path);

// Messages begin with the path of the state file. Not thread-safe; two objects on one file work as
// two workers do, even in one process. If the file is removed, replaced or cut while it is open,
// its claims are lost: every later Lock is a FailedPrecondition.
class StateLog {
 public:
  // The right to append; given up on destruction. Must not outlive its log.
  class AppendRight {
   public:
    AppendRight(AppendRight&& other) noexcept : log_(std::exchange(other.log_, nullptr)) {}
    AppendRight& operator=(AppendRight&&) = delete;
    ~AppendRight();

   private:
    friend class StateLog;
    explicit AppendRight(StateLog* log) : log_(log) {}
    StateLog* log_;
  };

  // Opens the file, makes it if there is none, and reads it into `table`. FailedPrecondition if the
  // file system has no such locks. Where the right to append is not to be had now, `table` is read
  // by the first Lock. With `durable` Sync reaches the disk.
  static absl::StatusOr<StateLog> Open(std::string path, bool durable, TaskTable& table);
  // To look only; NotFound if there is no file, Unavailable as for Lock. Of the methods below only
  // IsTaskLocked and TakeDamage may be used.
  static absl::StatusOr<StateLog> OpenToRead(std::string path, TaskTable& table);

  StateLog(StateLog&&) = default;

  // Waits for the right to append and brings `table` up to date, which costs what is new in the
  // file. Unavailable if somebody else keeps it for 2 s: try again. Hold it only for microseconds:
  // everybody waits. A torn line at the end (its writer died) is cut off; a damaged line anywhere
  // else is skipped.
  absl::StatusOr<AppendRight> Lock(TaskTable& table);

  // Messages about the lines that were skipped after the last call.
  std::vector<std::string> TakeDamage();

  // Adds one change, whole or not at all, and applies it to `table`. Needs the right to append.
  absl::Status Append(const StateChange& change, TaskTable& table);

  // Takes the claim of a task; false if another worker holds it.
  absl::StatusOr<bool> TryLockTask(const std::string& task_id);
  void UnlockTask(const std::string& task_id);
  bool HoldsTask(const std::string& task_id) const { return held_.contains(task_id); }
  // Whether any worker holds the claim now.
  absl::StatusOr<bool> IsTaskLocked(const std::string& task_id) const;

  // What was appended survives a power cut (if `durable`).
  absl::Status Sync() const;

  // All locks live as long as any duplicate of this descriptor is open.
  int fd() const { return fd_.get(); }

 private:
  StateLog(std::string path, bool durable) : path_(std::move(path)), durable_(durable) {}
  absl::Status OpenAt(int flags);
  absl::Status CheckCurrent() const;
  absl::Status CatchUp(TaskTable& table);
  // Reads all complete lines that are new; nobody may append meanwhile, since a torn line can be
  // replaced by another. Returns the size of the file, torn line included.
  absl::StatusOr<off_t> ReadNew(TaskTable& table);
  // Cuts what follows the last whole line, unless the file is none of ours.
  absl::Status CutTornLine(off_t size);
  absl::Status NotOurs(int64_t line_number, const absl::Status& status) const;
  absl::Status TakeLine(absl::string_view line, TaskTable& table);
  absl::Status TakeHeader(absl::string_view line);
  void Skip(int64_t line_number, const absl::Status& status);
  absl::Status Write(absl::string_view line);

  std::string path_;
  bool durable_;
  UniqueFd fd_;
  FileId id_;
  off_t offset_ = 0;   // end of the last line that was read or written
  int64_t lines_ = 0;  // up to there
  absl::Status
      header_;  // an error: line 1 is not a header, and line 2 must show if this is a state file
  std::vector<std::string> damage_;
  int64_t skipped_ = 0;  // lines; `damage_` names the first ones
  std::set<std::string> held_;
};

}  // namespace sparkles
