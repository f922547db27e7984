#include "doctor/directory_checks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/file_lock.h"
#include "base/status.h"
#include "base/text.h"
#include "doctor/scratch_directory.h"
#include "executor/cache_eviction.h"
#include "executor/disk_space.h"
#include "executor/entry_lock.h"
#include "process/monotonic.h"

namespace sparkles {
namespace {

// A local disk takes 1 to 30 ms. With more than this, each task waits noticeably.
constexpr absl::Duration kSlowSync = absl::Milliseconds(100);
constexpr size_t kSyncBytes = 4096;
constexpr char kMakeRoom[] = "remove files, or use a larger disk";
constexpr char kLocalDisk[] = "use a local file system such as ext4 or xfs";

// Probes one directory and adds a finding for each feature.
class Probe {
 public:
  Probe(const DirectoryNeeds& needs, const CancelToken& cancel, Findings& findings)
      : needs_(needs), cancel_(cancel), findings_(findings) {}

  void Run() {
    if (!FindDirectory()) return;
    CheckSpace();
    const absl::StatusOr<ScratchDirectory> scratch = ScratchDirectory::Create(directory_);
    if (!scratch.ok()) {
      return findings_.Fail(needs_.flag, scratch.status().message(),
                            IsDiskFull(scratch.status())
                                ? std::string(kMakeRoom)
                                : absl::StrCat("make the directory writable for uid ", geteuid(),
                                               ", or name another one"));
    }
    findings_.Ok(needs_.flag, exists_ ? absl::StrCat(directory_, " is writable")
                                      : absl::StrCat(needs_.path, " can be made in ", directory_));
    for (const auto check : {&Probe::CheckLocks, &Probe::CheckNameless, &Probe::CheckSymlinks,
                             &Probe::CheckExec, &Probe::CheckSync}) {
      if (cancel_.cancelled()) return findings_.Skip(needs_.flag, cancel_.reason());
      (this->*check)(*scratch);
    }
  }

 private:
  std::string Thing(absl::string_view what) const { return absl::StrCat(needs_.flag, " ", what); }

  // Sets directory_: the path itself, or the directory in which it would be made.
  bool FindDirectory() {
    directory_ = needs_.path;
    struct stat info;
    while (stat(directory_.c_str(), &info) != 0) {
      const int error = errno;
      const bool ends = directory_ == "/" || directory_ == ".";
      if (error != ENOENT || ends || IsDanglingLink(directory_)) {
        findings_.Fail(needs_.flag, ErrnoError(error, directory_).message(),
                       "name another directory, or repair this one");
        return false;
      }
      exists_ = false;
      while (directory_.size() > 1 && directory_.back() == '/') directory_.pop_back();
      directory_ = DirectoryOf(directory_);
    }
    if (S_ISDIR(info.st_mode)) return true;
    findings_.Fail(needs_.flag, absl::StrCat(directory_, ": not a directory"),
                   "name another directory, or remove the file");
    return false;
  }

  static bool IsDanglingLink(const std::string& path) {
    struct stat info;
    return lstat(path.c_str(), &info) == 0;
  }

  bool HasCacheEntries() const {
    const auto cache = OpenFile(needs_.cache_dir, O_RDONLY | O_DIRECTORY);
    if (!cache.ok()) return false;
    const auto found = ForEachEntry(
        cache->get(), needs_.cache_dir, [](const char* entry, unsigned char) -> absl::Status {
          return IsEntryName(entry) ? absl::AlreadyExistsError(entry) : absl::OkStatus();
        });
    return absl::IsAlreadyExists(found);
  }

  void CheckSpace() {
    const std::string thing = Thing("space");
    const auto space = MeasureSpace(directory_, needs_.min_free_bytes, directory_);
    if (!space.ok()) {
      return findings_.Fail(thing, space.status().message(), "repair the file system");
    }
    if (space->read_only) {
      return findings_.Fail(thing, absl::StrCat(directory_, ": the file system is read-only"),
                            "mount it for writing, or name another directory");
    }
    const absl::Status lack = ExplainLackOfSpace(*space, directory_);
    if (lack.ok()) {
      return findings_.Ok(
          thing, absl::StrCat(HumanBytes(static_cast<double>(space->free_bytes)), " are free",
                              space->free_files
                                  ? absl::StrCat(", and ", *space->free_files, " files can be made")
                                  : ""));
    }
    if (OnSameFileSystem(directory_, needs_.cache_dir) && HasCacheEntries()) {
      return findings_.Warn(thing, lack.message(),
                            absl::StrCat("the worker will remove inputs from ", needs_.cache_dir,
                                         "; if that is not enough, use a larger disk"));
    }
    findings_.Fail(thing, lack.message(), absl::StrCat(kMakeRoom, ", or set --minFreeSpace"));
  }

  // Locks of files and of bytes.
  void CheckLocks(const ScratchDirectory& scratch) {
    const std::string thing = Thing("locks");
    const std::string path = scratch / "lock";
    const auto file = OpenFile(path, O_CREAT | O_EXCL | O_RDWR);
    if (!file.ok()) return findings_.Fail(thing, file.status().message(), kLocalDisk);
    absl::Status status = TryLock(file->get()) ? absl::OkStatus() : ErrnoError(errno, path);
    if (status.ok()) {
      status = TryLockByte(file->get(), 1, ByteLock::kExclusive, path).status();
    }
    if (status.ok()) return findings_.Ok(thing, "work");
    const std::string text = absl::StrCat("the file system has no locks: ", status.message());
    if (needs_.locks) return findings_.Fail(thing, text, kLocalDisk);
    findings_.Warn(thing, text, kLocalDisk);
  }

  void CheckNameless(const ScratchDirectory&) {
    const std::string thing = Thing("nameless files (O_TMPFILE)");
    const auto file = OpenFile(directory_, O_TMPFILE | O_RDWR);
    if (file.ok()) return findings_.Ok(thing, "works");
    findings_.Warn(thing,
                   absl::StrCat("the file system has no nameless files: ", file.status().message(),
                                "; a worker that is killed can leave .sparkles-* files behind"),
                   kLocalDisk);
  }

  void CheckSymlinks(const ScratchDirectory& scratch) {
    const std::string thing = Thing("symlinks");
    if (symlink("lock", (scratch / "link").c_str()) == 0) return findings_.Ok(thing, "work");
    findings_.Warn(thing,
                   absl::StrCat("cannot be made: ", ErrnoError(errno, directory_).message(),
                                "; the worker copies inputs instead"),
                   kLocalDisk);
  }

  void CheckExec(const ScratchDirectory& scratch) {
    const std::string thing = Thing("exec");
    const std::string path = scratch / "script";
    const auto file = OpenFile(path, O_CREAT | O_EXCL | O_WRONLY, 0700);
    if (!file.ok()) return findings_.Fail(thing, file.status().message(), kLocalDisk);
    // The kernel gives EACCES here if the mount has `noexec`, also to root.
    if (access(path.c_str(), X_OK) == 0) return findings_.Ok(thing, "files can be run");
    const std::string text = absl::StrCat(directory_, ": files cannot be run (mounted noexec)");
    const std::string remedy =
        absl::StrCat("mount -o remount,exec the file system, or name another directory");
    if (needs_.exec) return findings_.Fail(thing, text, remedy);
    findings_.Warn(thing, text, remedy);
  }

  // The median of three syncs.
  void CheckSync(const ScratchDirectory& scratch) {
    const std::string thing = Thing("fsync");
    const std::string path = scratch / "sync";
    const auto file = OpenFile(path, O_CREAT | O_EXCL | O_WRONLY);
    if (!file.ok()) return findings_.Fail(thing, file.status().message(), kLocalDisk);
    std::array<absl::Duration, 3> times;
    for (absl::Duration& time : times) {
      const absl::Duration start = MonotonicNow();
      absl::Status status = WriteAll(file->get(), std::string(kSyncBytes, 'x'), path);
      if (status.ok()) status = SyncFile(file->get(), path);
      if (!status.ok()) {
        return findings_.Fail(thing, status.message(), "repair the disk, or use another one");
      }
      time = MonotonicNow() - start;
    }
    std::sort(times.begin(), times.end());
    const std::string text = absl::StrFormat("takes %.1f ms", absl::ToDoubleMilliseconds(times[1]));
    if (times[1] < kSlowSync) return findings_.Ok(thing, text);
    findings_.Warn(thing, text,
                   "use a faster disk: the worker syncs several files for each task "
                   "(--no-durable omits most syncs)");
  }

  const DirectoryNeeds& needs_;
  const CancelToken& cancel_;
  Findings& findings_;
  std::string directory_;
  bool exists_ = true;
};

}  // namespace

void CheckDirectory(const DirectoryNeeds& needs, const CancelToken& cancel, Findings& findings) {
  Probe(needs, cancel, findings).Run();
}

void CheckStateFile(const std::string& tasks_file, Findings& findings) {
  const std::string path = tasks_file + ".state";
  const bool exists = ::access(path.c_str(), F_OK) == 0;
  const std::string place = exists ? path : DirectoryOf(path);
  const int access = exists ? R_OK | W_OK : W_OK | X_OK;
  if (faccessat(AT_FDCWD, place.c_str(), access, AT_EACCESS) == 0) {
    return findings.Ok("state file", absl::StrCat(path, exists ? " is writable" : " can be made"));
  }
  findings.Fail("state file", ErrnoError(errno, place).message(),
                absl::StrCat("the worker keeps the state of the tasks in ", path,
                             ": make it writable, or copy the tasks file to another directory"));
}

}  // namespace sparkles
