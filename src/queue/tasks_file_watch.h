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
#include "base/file_id.h"
#include "queue/tasks_file.h"

namespace sparkles {

// The difference between a tasks file and its content at the last look.
struct TasksUpdate {
  bool appended = false;  // true: `tasks` follow the known tasks; false: they replace them
  std::vector<FileTask> tasks;
  std::vector<std::string> problems;  // that were not reported before
};

// An unchanged file costs one stat. After an append to JSON Lines only the new lines are parsed;
// after any other change the whole file is parsed again. Not thread-safe.
class TasksFileWatch {
 public:
  // Borrows `clock`.
  TasksFileWatch(std::string path, Clock& clock) : path_(std::move(path)), clock_(clock) {}

  const std::string& path() const { return path_; }

  // Reads the file for the first time. Errors name the path.
  absl::StatusOr<TasksFile> Read();

  // The changes since the last call; nullopt if there are none, or the file cannot be used now.
  std::optional<TasksUpdate> Look();

  // Why the present file was not used, or not to its end. Aborted: a program is writing it, look
  // again soon. Unavailable: it is missing, or its text is wrong. FailedPrecondition: its path
  // leads to another place than at Read, whose state file is another.
  const absl::Status& trouble() const { return trouble_; }
  // True if the last used content has entries that are not tasks.
  bool has_problems() const { return !problems_.empty(); }

 private:
  // A file with the same stamp has the same content.
  using Stamp = std::tuple<FileId, off_t, int64_t, int64_t>;

  static Stamp StampOf(const struct stat& info);
  absl::Status CheckRealPath() const;
  // Reports an unfinished last line as a problem and stops waiting for its end.
  std::optional<TasksUpdate> GiveUpLastLine();
  std::optional<TasksUpdate> Use(const std::string& text);
  std::optional<TasksUpdate> UseAll(const std::string& text);
  bool ExtendsKnownText(const std::string& text) const;
  bool IsSettled();
  void Remember(const std::string& text);
  std::vector<std::string> NewProblems(const std::vector<std::string>& problems);

  const std::string path_;
  std::string real_path_;  // without symlinks, at Read
  Clock& clock_;
  std::optional<Stamp> stamp_;  // of the text that was read last; none: read it again
  TasksParser parser_;
  absl::Time read_;                      // when that text was read
  uint32_t crc32c_ = 0;                  // of the text that was parsed
  std::optional<absl::Time> rewritten_;  // when the first look found other lines
  absl::Status trouble_;
  std::set<std::string> problems_;
};

}  // namespace sparkles
