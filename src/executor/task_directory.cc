#include "executor/task_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/file_id.h"
#include "base/file_lock.h"
#include "base/random.h"
#include "base/status.h"
#include "process/leftovers.h"

namespace sparkles {
namespace {

constexpr char kPrefix[] = "task-";
constexpr size_t kDigits = 9;
constexpr char kLockName[] = "/.lock";
// A process that survives KILL for longer waits for a dead disk.
constexpr absl::Duration kLeftoverLimit = absl::Seconds(3);
// The same limit for a worker that must stop. KILL is sent at once in any case.
constexpr absl::Duration kHurriedLeftoverLimit = absl::Milliseconds(300);

// Takes the lock of a task directory. Aborted if another worker holds the lock, or the lock file
// has lost its name.
absl::StatusOr<UniqueFd> TakeLock(const std::string& directory, int extra_flags) {
  const std::string path = directory + kLockName;
  ASSIGN_OR_RETURN(UniqueFd lock, OpenFile(path, O_RDWR | extra_flags, 0600));
  ASSIGN_OR_RETURN(const LockResult result, TryLockNamed(lock.get(), path));
  if (result == LockResult::kAcquired) return lock;
  return absl::AbortedError(absl::StrCat(directory, ": in use"));
}

// Removes the lock last, so that a later worker can finish a removal that was cut short. The
// directory may hold files that programs put into their HOME (login_environment.h).
absl::Status RemoveTaskDirectory(const std::string& path, const Activity& activity) {
  const absl::StatusOr<UniqueFd> directory = OpenFile(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (absl::IsNotFound(directory.status())) return absl::OkStatus();
  RETURN_IF_ERROR(directory.status());
  std::vector<std::string> entries;
  absl::Status status = ForEachEntry(directory->get(), path, [&](const char* name, unsigned char) {
    std::string entry = absl::StrCat("/", name);
    if (entry != kLockName) entries.push_back(path + entry);
    return absl::OkStatus();
  });
  for (const std::string& entry : entries) status.Update(RemoveTree(entry, activity));
  if (status.ok()) status = RemoveTree(path, activity);
  return status;
}

absl::Status MovedError(const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": the task moved or replaced its own directory"));
}

// True for the names that Make gives. "task-notes" is not one of them.
bool IsTaskDirectoryName(absl::string_view name) {
  return absl::ConsumePrefix(&name, kPrefix) && name.size() == kDigits &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
}

std::string RandomDigits() {
  uint32_t bits = 0;
  FillRandom(&bits, sizeof bits);
  return absl::StrCat(100'000'000 + bits % 900'000'000);
}

// Locks the directory `path` if a dead worker left it. nullopt for any other directory.
std::optional<UniqueFd> LockStale(const std::string& path) {
  struct stat info;
  // The worker makes no links here.
  if (lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return std::nullopt;
  absl::StatusOr<UniqueFd> lock = TakeLock(path, 0);
  if (lock.ok()) return *std::move(lock);
  // A directory without a lock file is a kept one, or an empty one whose worker died while it made
  // or removed the directory. A worker that is just making this directory then makes another one.
  if (absl::IsNotFound(lock.status())) rmdir(path.c_str());
  return std::nullopt;
}

}  // namespace

absl::StatusOr<TaskDirectory> TaskDirectory::Make(const std::string& tasks_dir, const Log& log,
                                                  Heartbeat* heartbeat) {
  absl::Status status = MakeDirectories(tasks_dir);
  // Repeated, because names can collide, and another worker can remove the new directory as stale
  // before it is locked.
  for (int tries = 0; status.ok() && tries < 10; ++tries) {
    const std::string path = absl::StrCat(tasks_dir, "/", kPrefix, RandomDigits());
    if (mkdir(path.c_str(), 0777) != 0) {
      if (errno != EEXIST) status = ErrnoError(errno, path);
      continue;
    }
    absl::StatusOr<UniqueFd> lock = TakeLock(path, O_CREAT | O_EXCL);
    if (!lock.ok()) {
      if (!absl::IsAborted(lock.status()) && !absl::IsNotFound(lock.status())) {
        status = lock.status();
        unlink((path + kLockName).c_str());
        rmdir(path.c_str());
      }
      continue;
    }
    TaskDirectory directory(path, *std::move(lock), log, heartbeat);
    status.Update(directory.MakeSubdirectories());
    if (status.ok()) return directory;
  }
  if (status.ok()) status = absl::UnavailableError(absl::StrCat(tasks_dir, ": no name is free"));
  return MachineFault(status);
}

absl::Status TaskDirectory::MakeSubdirectories() {
  id_ = IdAt(path_);
  if (!id_) return ErrnoError(errno, path_);
  RETURN_IF_ERROR(MakeDirectories(work()));
  work_id_ = IdAt(work());
  if (!work_id_) return ErrnoError(errno, work());
  RETURN_IF_ERROR(MakeDirectories(temp()));
  RETURN_IF_ERROR(MakeDirectories(checkpoint()));
  return MakeDirectories(log());
}

absl::StatusOr<UniqueFd> TaskDirectory::CreateLog(absl::string_view name) const {
  const std::string path = absl::StrCat(log(), "/", name);
  constexpr int kFlags = O_CREAT | O_EXCL | O_RDWR | O_APPEND;
  absl::StatusOr<UniqueFd> file = OpenFile(path, kFlags);
  if (!absl::IsNotFound(file.status())) return file;
  // A script may have removed the directory.
  RETURN_IF_ERROR(MakeDirectories(log()));
  return OpenFile(path, kFlags);
}

absl::Status TaskDirectory::CheckInPlace() const {
  if (const auto now = IdAt(work()); now && now == work_id_) return absl::OkStatus();
  return absl::FailedPreconditionError("the task moved or replaced its own work directory");
}

TaskDirectory::~TaskDirectory() {
  if (!lock_.valid()) return;
  // After an error the next worker treats the directory as stale, and removes the rest.
  const absl::Status removed = Remove();
  if (!removed.ok()) log_.Warning("cannot remove the task directory: ", removed.message());
}

absl::Status TaskDirectory::Remove() const {
  struct stat now;
  if (lstat(path_.c_str(), &now) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoError(errno, path_);
  }
  if (IdOf(now) == id_) {
    const CancelToken never;
    return RemoveTaskDirectory(path_, Activity(never, heartbeat_));
  }
  if (S_ISLNK(now.st_mode)) unlink(path_.c_str());
  return MovedError(path_);
}

absl::Status TaskDirectory::Keep() {
  const std::string lock = path_ + kLockName;
  const auto now = IdAt(path_);
  absl::Status status;
  if (!now || now != id_) {
    status = MovedError(path_);
  } else if (unlink(lock.c_str()) != 0) {
    status = ErrnoError(errno, lock);
  }
  lock_.reset();
  return status;
}

bool RemoveStaleTaskDirectories(const std::string& tasks_dir, const Activity& activity,
                                const Log& log) {
  const CancelToken& cancel = activity.cancel();
  const absl::StatusOr<UniqueFd> directory = OpenFile(tasks_dir, O_RDONLY | O_DIRECTORY);
  if (!directory.ok()) return true;
  std::vector<std::string> paths;
  // Errors are ignored: the next worker tries again.
  (void)ForEachEntry(directory->get(), tasks_dir, [&](const char* entry, unsigned char) {
    if (IsTaskDirectoryName(entry)) paths.push_back(absl::StrCat(tasks_dir, "/", entry));
    return absl::OkStatus();
  });
  // Ends the processes of all tasks before it removes directories, because the removal of a large
  // directory takes long, and a stop cuts it short.
  std::vector<std::string> stale;
  bool all_ended = true;
  for (const std::string& path : paths) {
    const std::optional<UniqueFd> lock = LockStale(path);
    if (!lock) continue;
    // The launcher has ended the processes, unless it was killed as well.
    const Leftovers left =
        EndLeftovers(absl::StrCat(kTaskDirVariable, "=", path),
                     cancel.cancelled() ? kHurriedLeftoverLimit : kLeftoverLimit);
    if (left.killed > 0) {
      log.Warning(path, ": ended ", left.killed, " processes of a worker that was killed",
                  left.any_alive ? "; some still run" : "");
    }
    if (left.any_alive) {
      all_ended = false;
    } else {
      stale.push_back(path);
    }
    (void)activity.ReportWork();  // a cancellation hurries the rest, and does not end it
  }
  for (const std::string& path : stale) {
    if (cancel.cancelled()) return all_ended;
    const std::optional<UniqueFd> lock = LockStale(path);
    if (!lock) continue;
    const absl::Status removed = RemoveTaskDirectory(path, activity);
    if (!removed.ok() && cancel.cancelled()) return all_ended;
    if (removed.ok()) {
      log.Info("removed ", path, ", which a killed or stopped worker has left");
    } else {
      log.Warning("cannot remove the old task directory: ", removed.message());
    }
  }
  return all_ended;
}

}  // namespace sparkles
