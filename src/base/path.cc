#include "base/path.h"

#include <limits.h>
#include <stdlib.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"

namespace sparkles {

absl::StatusOr<std::string> RealPath(const std::string& path) {
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), &free);
  if (!real) return ErrnoError(errno, path);
  return std::string(real.get());
}

absl::StatusOr<std::string> CleanRelativePath(absl::string_view path) {
  if (path.find('\0') != absl::string_view::npos) {
    return absl::InvalidArgumentError("holds a NUL character");
  }
  if (absl::StartsWith(path, "/")) return absl::InvalidArgumentError("must be relative");
  std::vector<absl::string_view> kept;
  for (const absl::string_view element : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (element == ".") continue;
    if (element != "..") {
      kept.push_back(element);
    } else if (kept.empty()) {
      return absl::InvalidArgumentError("leads outside of the work directory");
    } else {
      kept.pop_back();
    }
  }
  return kept.empty() ? "." : absl::StrJoin(kept, "/");
}

absl::Status CheckInside(const std::string& root, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string real_root, RealPath(root));
  std::string existing = path;
  absl::StatusOr<std::string> real = RealPath(existing);
  while (!real.ok() && absl::IsNotFound(real.status()) && existing.size() > root.size()) {
    struct stat info;
    const bool is_there = lstat(existing.c_str(), &info) == 0;
    // A dangling symlink is not a missing part, because a new file there would follow the link.
    if (is_there && S_ISLNK(info.st_mode)) break;
    if (!is_there) existing = DirectoryOf(existing);
    real = RealPath(existing);
    // Another thread has created it meanwhile.
    if (is_there) break;
  }
  if (!real.ok()) return real.status();
  if (*real == real_root || absl::StartsWith(*real, real_root == "/" ? "/" : real_root + "/")) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("leads outside of the work directory through a symlink");
}

}  // namespace sparkles
