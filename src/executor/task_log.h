// Holds the log of one task, stdout.txt: the output of the command, and lines of the worker.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/fd.h"

namespace sparkles {

// The name of the log in the work directory and in result.json.
inline constexpr char kTaskLogName[] = "stdout.txt";

class TaskLog {
 public:
  // Makes the file in `work_directory`. Errors are machine faults.
  static absl::StatusOr<TaskLog> Create(const std::string& work_directory);

  // Open for appending and reading. The command writes to it directly. Stays the log even if the
  // command removes or replaces the file path().
  int fd() const { return fd_.get(); }
  // Where the log was made. A script or the command can put another file there.
  const std::string& path() const { return path_; }
  // True if path() is now another regular file, for example an edited copy.
  bool IsReplaced() const;
  // Appends the line "sparkles: TEXT", after a line end if the command's last line has none.
  absl::Status AddLine(absl::string_view text);

 private:
  TaskLog(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
};

}  // namespace sparkles
