// Notices that a tasks file has changed while workers run, and reads what is new.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "queue/tasks_file.h"

namespace sparkles {

// What a look at a changed tasks file has found.
struct TasksUpdate {
  bool appended = false;  // `tasks` follow those that are known; else they replace them
  std::vector<FileTask> tasks;
  std::vector<std::string> problems;  // those that were not reported before
};

// An unchanged file costs one stat. Lines that were appended to JSON Lines are parsed alone; every
// other change has the whole file parsed again. Not thread-safe.
class TasksFileWatch {
 public:
  // Borrows `clock`.
  TasksFileWatch(std::string path, Clock& clock) : path_(std::move(path)), clock_(clock) {}

  const std::string& path() const { return path_; }

  // Reads the file for the first time. Errors name the path.
  absl::StatusOr<TasksFile> Read();

  // What has changed since the last call; nullopt: nothing, or nothing that can be used now.
  std::optional<TasksUpdate> Look();

  // Why the file as it is now was not used, or not to its end. Aborted: it is being written, look
  // again soon. Unavailable: it is missing, or its text is wrong.
  const absl::Status& trouble() const { return trouble_; }
  // Whether the file, as it was last used, has entries that are no tasks.
  bool has_problems() const { return !problems_.empty(); }

 private:
  // A file with the same stamp has the same content.
  using Stamp = std::tuple<dev_t, ino_t, off_t, int64_t, int64_t>;

  static Stamp StampOf(const struct stat& info);
  // An unfinished last line that stays so is a problem, and no reason to wait.
  std::optional<TasksUpdate> GiveUpLastLine();
  std::optional<TasksUpdate> Use(const std::string& text);
  std::optional<TasksUpdate> UseAll(const std::string& text);
  bool FollowsWhatIsKnown(const std::string& text) const;
  bool IsSettled();
  void Remember(const std::string& text);
  std::vector<std::string> NewProblems(const std::vector<std::string>& problems);

  const std::string path_;
  Clock& clock_;
  std::optional<Stamp> stamp_;  // of the text that was read last; none: read it again
  TasksParser parser_;
  absl::Time read_;                      // when that text was read
  uint32_t crc32c_ = 0;                  // of the text that was parsed
  std::optional<absl::Time> rewritten_;  // when the lines were first seen to be others
  absl::Status trouble_;
  std::set<std::string> problems_;
};

}  // namespace sparkles
