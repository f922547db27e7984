// Makes and removes the directory of one attempt: tasksDir/task-XXXX/{work,log,tmp}.
// A directory in use has a locked file. The lock ends with its worker, so that the next worker can
// recognize the directory of a killed worker.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/activity.h"
#include "base/fd.h"
#include "base/file_id.h"
#include "base/heartbeat.h"
#include "base/log.h"

namespace sparkles {

// The environment variable with the path of the task directory. All processes of the task have this
// variable, which identifies them.
inline constexpr char kTaskDirVariable[] = "SPARKLES_TASK_DIR";

class TaskDirectory {
 public:
  // Makes a new directory below `tasks_dir`, and `tasks_dir` if it is missing. All errors are
  // machine faults. Borrows `heartbeat`, which may be null. The destructor logs errors to `log`,
  // and beats for each entry that it removes.
  static absl::StatusOr<TaskDirectory> Make(const std::string& tasks_dir, const Log& log,
                                            Heartbeat* heartbeat = nullptr);
  TaskDirectory(TaskDirectory&&) = default;
  TaskDirectory& operator=(TaskDirectory&&) = delete;
  // Removes the directory with its content, unless Keep or LeaveForNextWorker was called. If the
  // task has replaced the directory, the destructor removes a symlink, and leaves any other file.
  ~TaskDirectory();

  const std::string& path() const { return path_; }
  std::string work() const { return path_ + "/work"; }              // where the command runs
  std::string checkpoint() const { return path_ + "/checkpoint"; }  // SPARKLES_CHECKPOINT_DIR
  std::string log() const { return path_ + "/log"; }   // output of the lifecycle scripts
  std::string temp() const { return path_ + "/tmp"; }  // TMPDIR of the task's processes

  // Creates a file in log(), open for reading and appending. Makes the directory again if a script
  // has removed it.
  absl::StatusOr<UniqueFd> CreateLog(absl::string_view name) const;

  // FailedPrecondition if work() is another file than at the start. A command can replace it by a
  // symlink, through which the worker must not write.
  absl::Status CheckInPlace() const;

  // Keeps the directory for good: no worker removes it. After an error the next worker may remove
  // it.
  absl::Status Keep();
  // Leaves the removal to the next RemoveStaleTaskDirectories, because a stop leaves no time for
  // it.
  void LeaveForNextWorker() { lock_.reset(); }

 private:
  TaskDirectory(std::string path, UniqueFd lock, const Log& log, Heartbeat* heartbeat)
      : path_(std::move(path)), lock_(std::move(lock)), log_(log), heartbeat_(heartbeat) {}
  absl::Status MakeSubdirectories();
  absl::Status Remove() const;

  std::string path_;
  std::optional<FileId> id_;       // of path(), when it was made
  std::optional<FileId> work_id_;  // of work(), when it was made
  UniqueFd lock_;                  // invalid after Keep, LeaveForNextWorker and a move
  Log log_;
  Heartbeat* heartbeat_;
};

// Ends the processes of tasks whose directories dead workers left in `tasks_dir`, which takes at
// most 3 s for each task (0.3 s if `activity` is cancelled), and then removes the directories.
// False if a process still runs; its directory stays. Logs directories that cannot be removed. If
// `activity` is cancelled, the remaining directories stay for the next call.
bool RemoveStaleTaskDirectories(const std::string& tasks_dir, const Activity& activity,
                                const Log& log);

}  // namespace sparkles
