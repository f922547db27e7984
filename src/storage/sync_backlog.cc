#include "storage/sync_backlog.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file.h"
#include "base/file_url.h"
#include "base/keep_alive.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Above this number of files the whole file system is synced. That costs about as much as one fsync
// if little else is to be written.
constexpr size_t kMaxSingleFiles = 32;

absl::Status SyncOne(const std::string& path) {
  const auto fd = OpenFile(path, O_RDONLY | O_NONBLOCK);
  if (absl::IsNotFound(fd.status())) return absl::OkStatus();
  if (!fd.ok()) return Annotate(fd.status(), MakeFileUrl(path));
  return SyncFile(fd->get(), MakeFileUrl(path));
}

}  // namespace

absl::Status SyncBacklog::Reach(dev_t device, const std::string& directory) {
  MutexLock lock(mutex_);
  if (file_systems_.contains(device)) return absl::OkStatus();
  ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(directory, O_RDONLY | O_DIRECTORY));
  file_systems_.emplace(device, std::move(fd));
  return absl::OkStatus();
}

void SyncBacklog::AddFile(const std::string& path, dev_t device) {
  MutexLock lock(mutex_);
  work_.file_systems.insert(file_systems_.at(device).get());
  if (work_.whole_file_systems) return;
  work_.files.push_back(path);
  work_.directories.insert(DirectoryOf(path));
  if (work_.files.size() <= kMaxSingleFiles) return;
  work_.whole_file_systems = true;
  work_.files.clear();
  work_.directories.clear();
}

void SyncBacklog::AddDirectory(const std::string& path) {
  MutexLock lock(mutex_);
  if (!work_.whole_file_systems) work_.directories.insert(path);
}

absl::Status SyncBacklog::SyncAll() {
  MutexLock syncing(syncing_);
  Work work;
  {
    MutexLock lock(mutex_);
    work = std::exchange(work_, Work());
  }
  return Sync(work);
}

absl::Status SyncBacklog::Sync(const Work& work) const {
  absl::Status status;
  if (work.file_systems.empty() && work.directories.empty()) return status;
  KeepAlive call(heartbeat_);
  if (work.whole_file_systems) {
    for (const int fd : work.file_systems) {
      call.Next();
      if (syncfs(fd) != 0) status.Update(ErrnoError(errno, "file://: sync of the disk"));
    }
    return status;
  }
  const auto sync = [&](const std::string& path) {
    call.Next();
    status.Update(SyncOne(path));
  };
  // Content before names, so that after a power cut during the sync no name lacks its content.
  for (const std::string& file : work.files) sync(file);
  for (const std::string& directory : work.directories) sync(directory);
  return status;
}

}  // namespace sparkles
