#include "base/log_line.h"

#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
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

absl::Status AppendLogLines(int fd, const std::vector<std::string>& texts, absl::string_view name) {
  std::string lines = EndsInsideLine(fd) ? "\n" : "";
  for (const std::string& text : texts) {
    absl::StrAppend(&lines, "sparkles: ", PrintableText(text), "\n");
  }
  return WriteAll(fd, lines, name);
}

}  // namespace sparkles
