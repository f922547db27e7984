// Watches a tasks file for changes while a worker runs, and reads them.
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
#include "base/file_id.h"
#include "queue/tasks_file.h"

namespace sparkles {

// The changes of a tasks file between two calls of Poll.
struct TasksUpdate {
  bool appended = false;  // true: `tasks` follow the known tasks; false: `tasks` replace them
  std::vector<FileTask> tasks;
  std::vector<std::string> problems;  // new problems
};

// Polling an unchanged file costs one stat. If lines were appended to JSON Lines, only these are
// parsed. After any other change, the whole file is parsed again. Not thread-safe.
class TasksFileWatch {
 public:
  // Borrows `clock`.
  TasksFileWatch(std::string path, Clock& clock) : path_(std::move(path)), clock_(clock) {}

  const std::string& path() const { return path_; }

  // Reads the file for the first time. Errors name the path.
  absl::StatusOr<TasksFile> Read();

  // Returns the changes since the last call. nullopt if there are none, or if the file is not
  // usable now.
  std::optional<TasksUpdate> Poll();

  // The reason why the present file was not used, or not to its end.
  //   Aborted: a program is writing the file. Poll again soon.
  //   Unavailable: the file is missing, or its text is wrong.
  //   FailedPrecondition: the path leads to another file than at Read, with another state file.
  const absl::Status& status() const { return status_; }
  // True if the last used content has entries that are not tasks.
  bool has_problems() const { return !problems_.empty(); }

 private:
  // A file with the same stamp has the same content.
  using Stamp = std::tuple<FileId, off_t, int64_t, int64_t>;

  static Stamp StampOf(const struct stat& info);
  absl::Status CheckRealPath() const;
  // Reports an incomplete last line as a problem and stops waiting for its end.
  std::optional<TasksUpdate> ReportIncompleteLine();
  std::optional<TasksUpdate> ApplyText(const std::string& text);
  std::optional<TasksUpdate> ApplyWholeText(const std::string& text);
  bool ExtendsKnownText(const std::string& text) const;
  bool IsSettled();
  void Remember(const std::string& text);
  std::vector<std::string> NewProblems(const std::vector<std::string>& problems);

  const std::string path_;
  std::string real_path_;  // without symlinks, at Read
  Clock& clock_;
  std::optional<Stamp> stamp_;  // of the last read; if unset, the file is read again
  TasksParser parser_;
  absl::Time read_;                      // time of the last read
  uint32_t crc32c_ = 0;                  // of the parsed text
  std::optional<absl::Time> rewritten_;  // time at which Poll first found other lines
  absl::Status status_;
  std::set<std::string> problems_;
};

}  // namespace sparkles
