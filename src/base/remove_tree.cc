// Implements RemoveTree of base/file.h.
// One directory is open at a time, at any depth. The way up is "..", which is trusted only if it
// leads to the previous directory.

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/directory.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/file_id.h"
#include "base/mounts.h"
#include "base/status.h"

namespace sparkles {
namespace {

class TreeRemover {
 public:
  explicit TreeRemover(const Activity& activity) : activity_(activity) {}

  // Empties and removes the directory `path`. Returns the first error.
  absl::Status Remove(const std::string& path);

 private:
  // A directory on the way down to the open one.
  struct Level {
    std::string name;
    FileId id;
    std::vector<std::string> subdirectories;  // still to be removed
  };

  void Enter(int parent_fd, const std::string& name);
  void UnlinkEntries();
  void Leave();
  // Reports progress. An error ends the removal.
  absl::Status Report() {
    if (stopped_.ok()) stopped_ = activity_.ReportWork();
    return stopped_;
  }
  void Note(const absl::Status& status) { first_error_.Update(status); }
  void NoteErrno(const std::string& entry) { Note(ErrnoError(errno, PathOf(entry))); }
  void NoteMoved(const std::string& entry) {
    Note(absl::AbortedError(absl::StrCat(PathOf(entry), ": moved while it was being removed")));
  }
  std::string PathOf(const std::string& entry) const;

  const Activity& activity_;
  UniqueFd directory_;         // the innermost directory of `levels_`
  std::vector<Level> levels_;  // outermost first
  std::string top_;            // the path of the outermost level
  absl::Status first_error_;
  absl::Status stopped_;
};

std::string TreeRemover::PathOf(const std::string& entry) const {
  std::string path;
  for (const Level& level : levels_) absl::StrAppend(&path, level.name, "/");
  return path + entry;
}

// Fails with EXDEV at a mount, because mounted data (for example reference data) must stay.
UniqueFd OpenDirectoryAt(int parent_fd, const std::string& name) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  open_how how = {};
  how.flags = kFlags;
  how.resolve = RESOLVE_NO_XDEV;
  UniqueFd directory(
      static_cast<int>(syscall(SYS_openat2, parent_fd, name.c_str(), &how, sizeof how)));
  if (directory.valid() || (errno != ENOSYS && errno != EPERM)) return directory;
  // For Linux before 5.6, and sandboxes without newer system calls.
  directory.reset(openat(parent_fd, name.c_str(), kFlags));
  if (!directory.valid() || IsSameMount(parent_fd, directory.get())) return directory;
  directory.reset();
  errno = EXDEV;
  return directory;
}

// Opens the directory, lists it and unlinks all other files. If the directory cannot be opened,
// notes the error and stays in the old directory.
void TreeRemover::Enter(int parent_fd, const std::string& name) {
  const std::string& label = levels_.empty() ? top_ : name;
  UniqueFd directory = OpenDirectoryAt(parent_fd, name);
  if (!directory.valid() && errno == EACCES) {
    // Follows no link: EACCES comes only after the checks of O_NOFOLLOW and O_DIRECTORY.
    if (fchmodat(parent_fd, name.c_str(), S_IRWXU, 0) == 0)
      directory = OpenDirectoryAt(parent_fd, name);
  }
  struct stat info;
  if (!directory.valid() && errno == EXDEV) {
    Note(absl::FailedPreconditionError(
        absl::StrCat(PathOf(label), ": is a mount point and was not removed; unmount it first")));
    return;
  }
  if (!directory.valid() || fstat(directory.get(), &info) != 0) {
    if (errno != ENOENT) NoteErrno(label);
    return;
  }
  // An error here shows again at the first entry that cannot be removed.
  if ((info.st_mode & S_IRWXU) != S_IRWXU) (void)fchmod(directory.get(), info.st_mode | S_IRWXU);
  struct stat parent;
  const bool can_return = levels_.empty() || fstatat(directory.get(), "..", &parent, 0) == 0;
  if (!can_return) {
    NoteErrno(label);
    return;
  }
  if (!levels_.empty() && IdOf(parent) != levels_.back().id) {
    NoteMoved(name);
    return;
  }
  levels_.push_back({label, IdOf(info), {}});
  directory_ = std::move(directory);
  UnlinkEntries();
}

void TreeRemover::UnlinkEntries() {
  Note(ForEachEntry(directory_.get(), levels_.back().name,
                    [&](const char* entry, unsigned char type) {
                      RETURN_IF_ERROR(Report());
                      if (type == DT_DIR) {
                        levels_.back().subdirectories.emplace_back(entry);
                      } else if (unlinkat(directory_.get(), entry, 0) != 0 && errno != ENOENT) {
                        NoteErrno(entry);
                      }
                      return absl::OkStatus();
                    }));
}

// Goes up and removes the directory below.
void TreeRemover::Leave() {
  UniqueFd parent(openat(directory_.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string name = std::move(levels_.back().name);
  levels_.pop_back();
  struct stat info;
  if (!parent.valid() || fstat(parent.get(), &info) != 0) {
    NoteErrno(name);
    levels_.clear();
    return;
  }
  if (IdOf(info) != levels_.back().id) {
    NoteMoved(name);
    levels_.clear();
    return;
  }
  directory_ = std::move(parent);
  if (unlinkat(directory_.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    NoteErrno(name);
}

absl::Status TreeRemover::Remove(const std::string& path) {
  const UniqueFd parent(open(DirectoryOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent.valid()) return ErrnoError(errno, path);
  top_ = path;
  Enter(parent.get(), std::string(BaseName(path)));
  while (!levels_.empty() && Report().ok()) {
    std::vector<std::string>& subdirectories = levels_.back().subdirectories;
    if (!subdirectories.empty()) {
      const std::string next = std::move(subdirectories.back());
      subdirectories.pop_back();
      Enter(directory_.get(), next);
    } else if (levels_.size() > 1) {
      Leave();
    } else {
      levels_.clear();
      if (rmdir(path.c_str()) != 0 && errno != ENOENT) NoteErrno(path);
    }
  }
  Note(stopped_);
  return first_error_;
}

}  // namespace

absl::Status RemoveTree(const std::string& path, const Activity& activity) {
  struct stat info;
  const bool exists = lstat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) return TreeRemover(activity).Remove(path);
  if ((exists && unlink(path.c_str()) == 0) || errno == ENOENT) return absl::OkStatus();
  return ErrnoError(errno, path);
}

}  // namespace sparkles
