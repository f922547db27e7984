// Makes and removes the folder of one attempt: tasksDir/task-XXXX/{work,log,tmp}.
// A folder in use has a locked file. The lock ends with its worker, so that the next worker can
// recognize the folder of a killed worker.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/activity.h"
#include "base/fd.h"
#include "base/file_id.h"
#include "base/log.h"
#include "base/vitals.h"

namespace sparkles {

// The environment variable with the path of the task folder. All processes of the task have this
// variable, which identifies them.
inline constexpr char kTaskDirVariable[] = "SPARKLES_TASK_DIR";

class TaskFolder {
 public:
  // Makes a new folder below `tasks_dir`, and `tasks_dir` if it is missing. All errors are machine
  // faults. Borrows `heartbeat`, which may be null. The destructor logs errors to `log`, and beats
  // for each entry that it removes.
  static absl::StatusOr<TaskFolder> Make(const std::string& tasks_dir, const Log& log,
                                         Heartbeat* heartbeat = nullptr);
  TaskFolder(TaskFolder&&) = default;
  TaskFolder& operator=(TaskFolder&&) = delete;
  // Removes the folder with its content, unless Keep or LeaveBehind was called. If the task has
  // replaced the folder, the destructor removes a symlink, and leaves any other file.
  ~TaskFolder();

  const std::string& path() const { return path_; }
  std::string work() const { return path_ + "/work"; }              // where the command runs
  std::string checkpoint() const { return path_ + "/checkpoint"; }  // SPARKLES_CHECKPOINT_DIR
  std::string log() const { return path_ + "/log"; }   // output of the lifecycle scripts
  std::string temp() const { return path_ + "/tmp"; }  // TMPDIR of the task's processes

  // Creates a file in log(), open for reading and appending. Makes the folder again if a script has
  // removed it.
  absl::StatusOr<UniqueFd> CreateLog(absl::string_view name) const;

  // FailedPrecondition if work() is another file than at the start. A command can replace it by a
  // symlink, through which the worker must not write.
  absl::Status CheckInPlace() const;

  // Keeps the folder for good: no worker removes it. After an error the next worker may remove it.
  absl::Status Keep();
  // Leaves the removal to the next RemoveStaleTaskFolders, because a stop leaves no time for it.
  void LeaveBehind() { lock_.reset(); }

 private:
  TaskFolder(std::string path, UniqueFd lock, const Log& log, Heartbeat* heartbeat)
      : path_(std::move(path)), lock_(std::move(lock)), log_(log), heartbeat_(heartbeat) {}
  absl::Status MakeInside();
  absl::Status Remove() const;

  std::string path_;
  std::optional<FileId> id_;       // of path(), when it was made
  std::optional<FileId> work_id_;  // of work(), when it was made
  UniqueFd lock_;                  // invalid after Keep, LeaveBehind and a move
  Log log_;
  Heartbeat* heartbeat_;
};

// Ends the processes of tasks whose folders dead workers left in `tasks_dir`, which takes at most
// 3 s for each task (0.3 s if `activity` is cancelled), and then removes the folders. False if a
// process still runs; its folder stays. Logs folders that cannot be removed. If `activity` is
// cancelled, the remaining folders stay for the next call.
bool RemoveStaleTaskFolders(const std::string& tasks_dir, const Activity& activity, const Log& log);

}  // namespace sparkles
