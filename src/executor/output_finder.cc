#include "executor/output_finder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <map>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/directory.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/file_id.h"
#include "base/mounts.h"
#include "base/path.h"
#include "base/status.h"

namespace sparkles {
namespace {

// The states of all patterns after the text of a path.
struct PatternStates {
  std::vector<Glob::States> include;
  std::vector<Glob::States> exclude;
};

struct Directory {
  std::string path;  // with a slash at the end; empty for the work directory
  PatternStates states;
};

std::string KindName(unsigned char type) {
  switch (type) {
    case DT_FIFO:
      return "a FIFO";
    case DT_SOCK:
      return "a socket";
    case DT_CHR:
    case DT_BLK:
      return "a device";
    default:
      return "not a file";
  }
}

std::string Reason(int error) {
  if (error == ENOENT) return "dangling symlink";
  if (error == ELOOP) return "circular symlinks";
  return std::string(ErrnoError(error, "cannot be read").message());
}

constexpr char kLeadsToMount[] = "leads to another mount inside the work directory";

class OutputWalk {
 public:
  OutputWalk(const std::vector<Glob>& include, const std::vector<Glob>& exclude,
             const Activity& activity)
      : include_(include), exclude_(exclude), activity_(activity), matched_(include.size()) {}

  absl::StatusOr<Outputs> Run(const std::string& work_directory);

 private:
  PatternStates Start() const;
  PatternStates Advance(const PatternStates& states, absl::string_view text) const;
  bool Wanted(const PatternStates& states) const;
  bool WantedBelow(const PatternStates& states) const;

  absl::Status EnterPending();
  absl::Status Enter(const Directory& directory, bool through_link);
  absl::Status List(int fd, const Directory& directory);
  absl::Status SkipUnlessMachineFault(const std::string& path, const absl::Status& error);
  bool LiesInside(int fd) const;
  absl::Status Visit(int fd, const Directory& directory, const char* entry, unsigned char type);
  absl::Status VisitLink(int fd, const Directory& directory, const char* entry,
                         const PatternStates& states);
  bool LeadsToMount(int fd, const Directory& directory, const char* link) const;
  void MarkMatched(const PatternStates& states);
  void Skip(std::string path, std::string reason) {
    outputs_.skipped.push_back({std::move(path), std::move(reason)});
  }

  const std::vector<Glob>& include_;
  const std::vector<Glob>& exclude_;
  const Activity& activity_;
  std::vector<bool> matched_;  // for each of `include_`
  UniqueFd root_;
  FileId root_id_;
  std::string real_root_;
  std::map<std::string, std::string> mounts_;  // path below the work directory to type
  std::set<FileId> entered_;
  std::vector<Directory> pending_;        // real directories that were found and not yet entered
  std::vector<Directory> pending_links_;  // symlinks to directories that were not yet followed
  Outputs outputs_;
};

PatternStates OutputWalk::Start() const {
  PatternStates states;
  for (const Glob& glob : include_) states.include.push_back(glob.Start());
  for (const Glob& glob : exclude_) states.exclude.push_back(glob.Start());
  return states;
}

std::vector<Glob::States> AdvanceAll(const std::vector<Glob>& globs,
                                     const std::vector<Glob::States>& states,
                                     absl::string_view text) {
  std::vector<Glob::States> advanced;
  advanced.reserve(globs.size());
  for (size_t i = 0; i < globs.size(); ++i) advanced.push_back(globs[i].Advance(states[i], text));
  return advanced;
}

PatternStates OutputWalk::Advance(const PatternStates& states, absl::string_view text) const {
  return {AdvanceAll(include_, states.include, text), AdvanceAll(exclude_, states.exclude, text)};
}

template <typename Question>
bool AnyOf(const std::vector<Glob>& globs, const std::vector<Glob::States>& states, Question ask) {
  for (size_t i = 0; i < globs.size(); ++i) {
    if ((globs[i].*ask)(states[i])) return true;
  }
  return false;
}

bool OutputWalk::Wanted(const PatternStates& states) const {
  return AnyOf(include_, states.include, &Glob::Accepts) &&
         !AnyOf(exclude_, states.exclude, &Glob::Accepts);
}

// Call for wanted entries other than directories.
void OutputWalk::MarkMatched(const PatternStates& states) {
  for (size_t i = 0; i < include_.size(); ++i) {
    if (!matched_[i] && include_[i].Accepts(states.include[i])) matched_[i] = true;
  }
}

bool OutputWalk::WantedBelow(const PatternStates& states) const {
  return AnyOf(include_, states.include, &Glob::CanContinue) &&
         !AnyOf(exclude_, states.exclude, &Glob::MatchesAllBelow);
}

absl::Status OutputWalk::SkipUnlessMachineFault(const std::string& path,
                                                const absl::Status& error) {
  if (error.ok() || IsMachineFault(error) || absl::IsCancelled(error)) return error;
  const absl::string_view reason = absl::StripPrefix(error.message(), path + ": ");
  Skip(path.substr(0, path.size() - 1), absl::StrCat("cannot be read: ", reason));
  return absl::OkStatus();
}

// True if the directory is the work directory or below it. Follows ".." instead of comparing paths,
// which works at any depth and without /proc.
bool OutputWalk::LiesInside(int fd) const {
  UniqueFd here;
  struct stat info;
  FileId last;
  while (fstat(here.valid() ? here.get() : fd, &info) == 0) {
    const FileId above = IdOf(info);
    if (above == root_id_) return true;
    if (above == last) return false;  // "/" is its own parent
    last = above;
    UniqueFd parent(openat(here.valid() ? here.get() : fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!parent.valid()) return false;
    here = std::move(parent);
  }
  return false;
}

absl::Status OutputWalk::Visit(int fd, const Directory& directory, const char* entry,
                               unsigned char type) {
  PatternStates states = Advance(directory.states, entry);
  if (type == DT_LNK) return VisitLink(fd, directory, entry, states);
  std::string path = directory.path + entry;
  const bool wanted = type != DT_DIR && Wanted(states);
  if (type == DT_DIR) states = Advance(states, "/");
  const bool wanted_below = type == DT_DIR && WantedBelow(states);
  if (!wanted && !wanted_below) return absl::OkStatus();
  if (wanted) MarkMatched(states);
  if (const auto mount = mounts_.find(path); mount != mounts_.end()) {
    Skip(std::move(path),
         absl::StrCat("another file system is mounted there (", mount->second, "): not searched"));
  } else if (type == DT_DIR) {
    pending_.push_back({path + "/", std::move(states)});
  } else if (type == DT_REG) {
    outputs_.files.push_back(std::move(path));
  } else {
    Skip(std::move(path), KindName(type));
  }
  return absl::OkStatus();
}

// True if the link's text leads to a mount inside the work directory.
bool OutputWalk::LeadsToMount(int fd, const Directory& directory, const char* link) const {
  if (mounts_.empty()) return false;
  std::string target(PATH_MAX, '\0');
  const ssize_t got = readlinkat(fd, link, target.data(), target.size());
  if (got < 0) return false;
  target.resize(static_cast<size_t>(got));
  absl::string_view below = target;
  if (!absl::ConsumePrefix(&below, real_root_ + "/") && !absl::StartsWith(target, "/")) {
    target.insert(0, directory.path);
    below = target;
  }
  const auto path = CleanRelativePath(below);
  return path.ok() && std::any_of(mounts_.begin(), mounts_.end(), [&](const auto& mount) {
           return *path == mount.first || absl::StartsWith(*path, mount.first + "/");
         });
}

absl::Status OutputWalk::VisitLink(int fd, const Directory& directory, const char* entry,
                                   const PatternStates& states) {
  const bool wanted = Wanted(states);
  PatternStates below = Advance(states, "/");
  const bool wanted_below = WantedBelow(below);
  if (!wanted && !wanted_below) return absl::OkStatus();
  std::string path = directory.path + entry;
  struct stat info;
  const int error = fstatat(fd, entry, &info, 0) == 0 ? 0 : errno;
  const bool to_directory = error == 0 && S_ISDIR(info.st_mode);
  if (wanted && !to_directory) MarkMatched(states);
  if (error != 0) {
    // A mount of the command is dead if its daemon (FUSE) was ended as a leftover.
    const bool to_mount = LeadsToMount(fd, directory, entry);
    const absl::Status failed = ErrnoError(error, path);
    if (IsMachineFault(failed) && !to_mount) return failed;
    if (wanted) Skip(std::move(path), to_mount ? kLeadsToMount : Reason(error));
  } else if (to_directory) {
    if (wanted_below) pending_links_.push_back({path + "/", std::move(below)});
  } else if (!wanted) {
    return absl::OkStatus();
  } else if (S_ISREG(info.st_mode)) {
    outputs_.files.push_back(std::move(path));
  } else {
    Skip(std::move(path), "leads to " + KindName(static_cast<unsigned char>(IFTODT(info.st_mode))));
  }
  return absl::OkStatus();
}

absl::Status OutputWalk::List(int fd, const Directory& directory) {
  return ForEachEntry(fd, directory.path, [&](const char* entry, unsigned char type) {
    RETURN_IF_ERROR(Visit(fd, directory, entry, type));
    return activity_.ReportWork();
  });
}

absl::Status OutputWalk::Enter(const Directory& directory, bool through_link) {
  RETURN_IF_ERROR(activity_.ReportWork());
  const absl::StatusOr<UniqueFd> fd =
      OpenBelow(root_.get(), directory.path, O_RDONLY | O_DIRECTORY);
  if (!fd.ok()) return SkipUnlessMachineFault(directory.path, fd.status());
  struct stat info;
  if (fstat(fd->get(), &info) != 0) return ErrnoError(errno, directory.path);
  if (entered_.contains(IdOf(info))) return absl::OkStatus();
  if (through_link && !LiesInside(fd->get())) {
    Skip(directory.path.substr(0, directory.path.size() - 1),
         "leads outside of the work directory");
    return absl::OkStatus();
  }
  if (through_link && !mounts_.empty() && !IsSameMount(root_.get(), fd->get())) {
    Skip(directory.path.substr(0, directory.path.size() - 1), kLeadsToMount);
    return absl::OkStatus();
  }
  entered_.insert(IdOf(info));
  return SkipUnlessMachineFault(directory.path, List(fd->get(), directory));
}

absl::Status OutputWalk::EnterPending() {
  while (!pending_.empty()) {
    const Directory directory = std::move(pending_.back());
    pending_.pop_back();
    RETURN_IF_ERROR(Enter(directory, /*through_link=*/false));
  }
  return absl::OkStatus();
}

absl::StatusOr<Outputs> OutputWalk::Run(const std::string& work_directory) {
  ASSIGN_OR_RETURN(root_, OpenFile(work_directory, O_RDONLY | O_DIRECTORY));
  struct stat info;
  if (fstat(root_.get(), &info) != 0) return ErrnoError(errno, work_directory);
  root_id_ = IdOf(info);
  entered_.insert(root_id_);
  ASSIGN_OR_RETURN(real_root_, RealPath(work_directory));
  for (Mount& mount : MountsBelow(real_root_)) {
    mounts_[mount.point.substr(real_root_.size() + 1)] = std::move(mount.type);
  }
  RETURN_IF_ERROR(List(root_.get(), {"", Start()}));
  RETURN_IF_ERROR(EnterPending());
  while (!pending_links_.empty()) {
    // Sorted, so that of two links to one directory the same one is taken on each file system.
    std::vector<Directory> links = std::exchange(pending_links_, {});
    std::sort(links.begin(), links.end(),
              [](const Directory& a, const Directory& b) { return a.path < b.path; });
    for (const Directory& link : links) {
      RETURN_IF_ERROR(Enter(link, /*through_link=*/true));
      RETURN_IF_ERROR(EnterPending());
    }
  }
  for (size_t i = 0; i < matched_.size(); ++i) {
    if (!matched_[i]) outputs_.unmatched.push_back(i);
  }
  std::sort(outputs_.files.begin(), outputs_.files.end());
  std::sort(outputs_.skipped.begin(), outputs_.skipped.end(),
            [](const SkippedFile& a, const SkippedFile& b) { return a.src < b.src; });
  return std::move(outputs_);
}

}  // namespace

absl::StatusOr<Outputs> FindOutputs(const std::string& work_directory,
                                    const std::vector<Glob>& include,
                                    const std::vector<Glob>& exclude, const Activity& activity) {
  return OutputWalk(include, exclude, activity).Run(work_directory);
}

}  // namespace sparkles
