#include "executor/task_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/file_id.h"
#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

bool EndsInsideLine(int fd) {
  struct stat info;
  char last = '\n';
  return fstat(fd, &info) == 0 && info.st_size > 0 && pread(fd, &last, 1, info.st_size - 1) == 1 &&
         last != '\n';
}

}  // namespace

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
  const absl::string_view line_end = EndsInsideLine(fd()) ? "\n" : "";
  return WriteAll(fd(), absl::StrCat(line_end, "sparkles: ", PrintableText(text), "\n"), path_);
}

}  // namespace sparkles
