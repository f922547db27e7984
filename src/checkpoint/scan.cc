#include "checkpoint/scan.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/directory.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "checkpoint/manifest.h"

namespace sparkles {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK;

class Scanner {
 public:
  Scanner(const std::string& root, const Activity& activity) : root_(root), activity_(activity) {}

  absl::StatusOr<Scan> Run() {
    absl::StatusOr<UniqueFd> fd = OpenFile(root_, kDirectoryFlags);
    if (!fd.ok()) {
      if (absl::IsNotFound(fd.status())) return fd.status();
      return WithMessage(fd.status(), absl::StrCat(fd.status().message(),
                                                   " (it must be the directory that was made)"));
    }
    struct stat info;
    if (fstat(fd->get(), &info) != 0) return ErrnoError(errno, root_);
    device_ = info.st_dev;
    RETURN_IF_ERROR(Enter(fd->get(), "", 0));
    std::sort(scan_.files.begin(), scan_.files.end(),
              [](const ScannedFile& a, const ScannedFile& b) { return a.path < b.path; });
    return std::move(scan_);
  }

 private:
  absl::Status Enter(int fd, const std::string& prefix, int depth) {
    std::vector<std::string> directories;
    RETURN_IF_ERROR(ForEachEntry(fd, root_, [&](const char* entry, unsigned char type) {
      RETURN_IF_ERROR(activity_.ReportWork());
      if (type != DT_REG && type != DT_DIR) return absl::OkStatus();
      if (!IsSavedName(entry)) {
        if (!IsUtf8(entry)) ++scan_.unusable_names;
        return absl::OkStatus();
      }
      if (type == DT_REG) return AddFile(fd, prefix, entry);
      directories.emplace_back(entry);
      return absl::OkStatus();
    }));
    for (const std::string& name : directories) {
      RETURN_IF_ERROR(EnterBelow(fd, prefix, name, depth + 1));
    }
    return absl::OkStatus();
  }

  absl::Status EnterBelow(int fd, const std::string& prefix, const std::string& name, int depth) {
    if (depth > kMaxCheckpointDepth) {
      return absl::FailedPreconditionError(
          absl::StrCat(root_, ": more than ", kMaxCheckpointDepth, " levels of directories"));
    }
    const UniqueFd below(
        RetryOnEintr([&] { return openat(fd, name.c_str(), kDirectoryFlags | O_CLOEXEC); }));
    if (!below.valid()) {
      // Removed or replaced since it was listed.
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return absl::OkStatus();
      return ErrnoError(errno, absl::StrCat(root_, "/", prefix, name));
    }
    struct stat info;
    if (fstat(below.get(), &info) != 0) return ErrnoError(errno, root_);
    if (info.st_dev != device_) return absl::OkStatus();
    return Enter(below.get(), absl::StrCat(prefix, name, "/"), depth);
  }

  absl::Status AddFile(int fd, const std::string& prefix, const char* name) {
    struct stat info;
    if (fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return errno == ENOENT ? absl::OkStatus()
                             : ErrnoError(errno, absl::StrCat(root_, "/", prefix, name));
    }
    // Not compared with device_: on an overlay file system, files may have another device number
    // than their directory.
    if (!S_ISREG(info.st_mode)) return absl::OkStatus();
    if (scan_.files.size() == kMaxCheckpointFiles) {
      return absl::FailedPreconditionError(
          absl::StrCat(root_, ": more than ", kMaxCheckpointFiles, " files"));
    }
    std::string path = absl::StrCat(prefix, name);
    if (path.size() > kMaxCheckpointPathBytes) {
      return absl::FailedPreconditionError(
          absl::StrCat(root_, ": a path in it has more than ", kMaxCheckpointPathBytes, " bytes"));
    }
    scan_.files.push_back({std::move(path), StampOf(info)});
    return absl::OkStatus();
  }

  const std::string& root_;
  const Activity& activity_;
  dev_t device_ = 0;
  Scan scan_;
};

}  // namespace

FileStamp StampOf(const struct stat& info) {
  return {.size = static_cast<uint64_t>(info.st_size),
          .mtime = absl::TimeFromTimespec(info.st_mtim),
          .ctime = absl::TimeFromTimespec(info.st_ctim),
          .id = IdOf(info),
          .mode = info.st_mode & 0777u};
}

absl::StatusOr<Scan> ScanCheckpoint(const std::string& directory, const Activity& activity) {
  return Scanner(directory, activity).Run();
}

}  // namespace sparkles
