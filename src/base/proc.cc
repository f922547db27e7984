#include "base/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/fd.h"
#include "base/file.h"

namespace sparkles {
namespace {

// Enough for a machine with many containers (a thousand mounts of about 200 bytes each) and for an
// environment of a few MiB.
constexpr size_t kMaxBytes = size_t{16} << 20;

}  // namespace

bool ForEachNumber(const std::string& directory, absl::FunctionRef<void(int number)> visit) {
  DIR* const entries = opendir(directory.c_str());
  if (entries == nullptr) return false;
  bool any = false;
  while (const dirent* entry = readdir(entries)) {  // NOLINT(concurrency-mt-unsafe): own stream
    int number = 0;
    if (!absl::SimpleAtoi(entry->d_name, &number) || number < 0) continue;
    any = true;
    visit(number);
  }
  closedir(entries);
  return any;
}

bool ShowsOwnIds(const std::string& proc_root) {
  char target[32];
  const ssize_t size = readlink((proc_root + "/self").c_str(), target, sizeof target);
  return size > 0 && absl::string_view(target, static_cast<size_t>(size)) == absl::StrCat(getpid());
}

absl::string_view ReadOnce(const std::string& path, char* buffer, size_t size) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t got = fd.valid() ? read(fd.get(), buffer, size) : -1;
  if (got == 0) errno = 0;
  return got > 0 ? absl::string_view(buffer, static_cast<size_t>(got)) : absl::string_view();
}

std::string ReadProcFile(const std::string& path) { return ReadFile(path, kMaxBytes).value_or(""); }

std::optional<int64_t> FindNumber(absl::string_view text, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, name)) continue;
    absl::ConsumePrefix(&line, ":");
    absl::ConsumeSuffix(&line, " kB");
    int64_t number = 0;
    if (absl::StartsWith(line, " ") && absl::SimpleAtoi(line, &number)) return number;
  }
  return std::nullopt;
}

}  // namespace sparkles
