// Counts the tasks of a file by their status while workers run, for people who watch.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file_id.h"
#include "queue/state_line.h"
#include "queue/task_entry.h"

namespace sparkles {

// Of all tasks in the file, run by any worker.
struct TaskCounts {
  size_t tasks = 0;  // the sum of the next four
  size_t complete = 0;
  size_t failed = 0;   // or killed
  size_t running = 0;  // claimed by a worker that is alive
  size_t waiting = 0;
  size_t nonzero = 0;  // complete, with an exit code other than 0

  // Of the tasks that have ended since the counter was made.
  size_t ended = 0;
  absl::Duration time_of_ended;  // the sum of the times from claim to end
  // The sum of the times that all workers have run tasks since the counter was made.
  absl::Duration time_worked;
  std::vector<absl::Time> running_since;  // the claims of the running tasks
};

// Reads the tasks file and the state file beside their writers, without locks. Remembers about 100
// bytes for each task. Used by one thread.
class TaskCounter {
 public:
  // `tasks` are those of the file now. Borrows `clock`.
  TaskCounter(const std::string& tasks_path, const std::vector<FileTask>& tasks, Clock& clock);

  // Reads what has changed since the last call, and returns the counts. If a file cannot be read
  // now, the counts are as before. A changed tasks file is read as a whole, and at most so often
  // that this takes one hundredth of the time.
  TaskCounts Count();

 private:
  struct Entry {
    bool in_file = false;  // false: the tasks file may get the task later
    TaskStatus status = TaskStatus::kPending;
    bool nonzero = false;
    absl::Time claimed = absl::InfiniteFuture();
  };
  // A file with the same stamp has the same content.
  struct Stamp {
    FileId id;
    off_t size = 0;
    absl::Time modified;
  };

  std::optional<Stamp> StampOfTasks() const;
  void ReadTasksIfChanged();
  void SetTasks(const std::vector<FileTask>& tasks);
  void ReadNewStates();
  // False if there is no state file. Starts over if another file has its name.
  bool OpenStates();
  absl::Status TakeLine(absl::string_view line);
  void Apply(const StateChange& change);
  void CountEnd(const Entry& entry, absl::Time end);
  // Counts a task, or takes it out of the counts.
  void Include(off_t key, const Entry& entry);
  void Exclude(off_t key, const Entry& entry);
  size_t& CountOf(TaskStatus status);

  const std::string tasks_path_;
  const std::string state_path_;
  Clock& clock_;
  const absl::Time start_;
  std::optional<Stamp> stamp_;  // of the tasks file when it was read
  absl::Time next_read_;        // of the tasks file
  UniqueFd fd_;                 // the state file
  FileId id_;
  off_t offset_ = 0;                          // the end of the last line that was read
  std::unordered_map<off_t, Entry> entries_;  // by LockByteOf(id)
  std::set<off_t> claimed_;                   // of the tasks in the file
  TaskCounts counts_;                         // running: claimed, even if the worker is dead
};

}  // namespace sparkles
