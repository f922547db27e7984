// stdout.txt of one task: what the command prints, and a few lines of ours.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/fd.h"

namespace sparkles {

// The name of the log in the work folder and in result.json.
inline constexpr char kTaskLogName[] = "stdout.txt";

class TaskLog {
 public:
  // Makes the file in `work_folder`. Errors are machine faults.
  static absl::StatusOr<TaskLog> Create(const std::string& work_folder);

  // Open for appending and reading; the command writes to it directly. It stays what the command
  // printed even if the command removes or replaces the file that has the name.
  int fd() const { return fd_.get(); }
  // Where it was made; a script or the command can put something else there.
  const std::string& path() const { return path_; }
  // Whether path() is another regular file by now: an edited copy, perhaps, or a program's own.
  bool Replaced() const;
  // Appends "sparkles: TEXT" as a line of its own, even if the command's last line has no end.
  absl::Status AddLine(absl::string_view text);

 private:
  TaskLog(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
};

}  // namespace sparkles
