#include "executor/task_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/file_id.h"
#include "base/log_line.h"
#include "base/status.h"

namespace sparkles {

absl::StatusOr<TaskLog> TaskLog::Create(const std::string& work_directory) {
  std::string path = absl::StrCat(work_directory, "/", kTaskLogName);
  auto fd = OpenFile(path, O_CREAT | O_EXCL | O_RDWR | O_APPEND);
  if (!fd.ok()) return MachineFault(fd.status());
  return TaskLog(std::move(path), *std::move(fd));
}

bool TaskLog::IsReplaced() const {
  struct stat ours;
  struct stat other;
  return fstat(fd(), &ours) == 0 && lstat(path_.c_str(), &other) == 0 && S_ISREG(other.st_mode) &&
         IdOf(ours) != IdOf(other);
}

absl::Status TaskLog::AddLine(absl::string_view text) {
  return AppendLogLines(fd(), {std::string(text)}, path_);
}

}  // namespace sparkles
