#include "executor/task_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

bool EndsInsideALine(int fd) {
  struct stat info;
  char last = '\n';
  return fstat(fd, &info) == 0 && info.st_size > 0 && pread(fd, &last, 1, info.st_size - 1) == 1 &&
         last != '\n';
}

}  // namespace

absl::StatusOr<TaskLog> TaskLog::Create(const std::string& work_folder) {
  std::string path = absl::StrCat(work_folder, "/", kTaskLogName);
  auto fd = OpenFile(path, O_CREAT | O_EXCL | O_RDWR | O_APPEND);
  if (!fd.ok()) return MachineFault(fd.status());
  return TaskLog(std::move(path), *std::move(fd));
}

absl::Status TaskLog::AddLine(absl::string_view text) {
  const absl::string_view line_end = EndsInsideALine(fd()) ? "\n" : "";
  return WriteAll(fd(), absl::StrCat(line_end, "sparkles: ", PrintableText(text), "\n"), path_);
}

absl::StatusOr<UniqueFd> TaskLog::OpenForUpload() const {
  auto named = OpenFile(path_, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  struct stat info;
  if (named.ok() && fstat(named->get(), &info) == 0 && S_ISREG(info.st_mode)) return named;
  UniqueFd kept(fcntl(fd(), F_DUPFD_CLOEXEC, 3));
  if (!kept.valid()) return MachineFault(ErrnoError(errno, path_));
  return kept;
}

}  // namespace sparkles
