#include "executor/script_output.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_split.h"

namespace sparkles {
namespace {

constexpr size_t kMaxEndBytes = 64 << 10;

std::string ReadPart(int fd, size_t offset, size_t size) {
  std::string text(size, '\0');
  const ssize_t got = pread(fd, text.data(), size, static_cast<off_t>(offset));
  text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

void LogLines(const Log& log, absl::string_view name, absl::string_view text) {
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    log.Info(name, ": ", line);
  }
}

}  // namespace

void LogScriptOutput(const Log& log, absl::string_view name, int output_fd) {
  struct stat info;
  if (fstat(output_fd, &info) != 0) return;
  const auto size = static_cast<size_t>(info.st_size);
  if (size <= 2 * kMaxEndBytes) return LogLines(log, name, ReadPart(output_fd, 0, size));
  std::string head = ReadPart(output_fd, 0, kMaxEndBytes);
  std::string tail = ReadPart(output_fd, size - kMaxEndBytes, kMaxEndBytes);
  // Cut at line ends, unless a line is longer than its part.
  if (const size_t end = head.rfind('\n'); end != std::string::npos) head.resize(end + 1);
  const size_t line_end = tail.find('\n');
  if (line_end + 1 < tail.size()) tail.erase(0, line_end + 1);
  LogLines(log, name, head);
  log.Info(name, ": ... ", size - head.size() - tail.size(), " bytes are left out ...");
  LogLines(log, name, tail);
}

}  // namespace sparkles
