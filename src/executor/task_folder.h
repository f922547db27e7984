// The folder in which one task lives: tasksDir/task-XXXX/{work,log,tmp}.
// A lock that ends with its worker tells directories in use from those of killed workers.
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

// The variable with a task folder's path that every process of the task gets. It is what tells the
// processes of one run from all others.
inline constexpr char kTaskDirVariable[] = "SPARKLES_TASK_DIR";

class TaskFolder {
 public:
  // Makes a new folder below `tasks_dir`, which is made if missing. Every error is a machine fault.
  // `log` is told what cannot be removed in the end; `heartbeat`, which may be null, beats
  // for each entry that is removed.
  static absl::StatusOr<TaskFolder> Make(const std::string& tasks_dir, const Log& log,
                                         Heartbeat* heartbeat = nullptr);
  TaskFolder(TaskFolder&&) = default;
  TaskFolder& operator=(TaskFolder&&) = delete;
  // Removes the folder with everything in it, unless Keep was called. What a command has put in its
  // place is not ours to remove; a mere link is unlinked.
  ~TaskFolder();

  const std::string& path() const { return path_; }
  std::string work() const { return path_ + "/work"; }              // where the command runs
  std::string checkpoint() const { return path_ + "/checkpoint"; }  // SPARKLES_CHECKPOINT_DIR
  std::string log() const { return path_ + "/log"; }   // output of the lifecycle scripts
  std::string temp() const { return path_ + "/tmp"; }  // TMPDIR of the task's processes

  // A new file in log(), open for reading and appending; the folder is made again if a script has
  // removed it.
  absl::StatusOr<UniqueFd> CreateLog(absl::string_view name) const;

  // FailedPrecondition if something else stands where work() was made: a command can move its own
  // folder away and put a symlink there, and nothing may be written through that.
  absl::Status CheckInPlace() const;

  // Leaves the folder where it is, for ever: no worker will remove it. If that cannot be had the
  // next worker will.
  absl::Status Keep();
  // Leaves its removal to RemoveStaleTaskFolders: there is no time for it now.
  void LeaveBehind() { lock_.reset(); }

 private:
  TaskFolder(std::string path, UniqueFd lock, const Log& log, Heartbeat* heartbeat)
      : path_(std::move(path)), lock_(std::move(lock)), log_(log), heartbeat_(heartbeat) {}
  absl::Status MakeInside();
  absl::Status Remove() const;

  std::string path_;
  std::optional<FileId> id_;       // of path(), when it was new
  std::optional<FileId> work_id_;  // the same of work()
  UniqueFd lock_;                  // invalid once the folder is not ours to remove
  Log log_;
  Heartbeat* heartbeat_;
};

// Ends the processes of tasks whose folders dead workers left in `tasks_dir` (at most 3 s for each
// task, 0.3 s once `activity` is cancelled), then removes the folders. False if a process still
// runs: then its folder stays. Logs what cannot be removed. Once `activity` is cancelled, the
// remaining folders stay for another time.
bool RemoveStaleTaskFolders(const std::string& tasks_dir, const Activity& activity, const Log& log);

}  // namespace sparkles
