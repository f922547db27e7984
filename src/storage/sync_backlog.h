// Remembers written files until they are synced to disk.
// A name survives a power cut only if its directory is synced, and a new directory only if the
// directory above is synced. For more than a few files, one sync of the whole file system is
// cheaper.
#pragma once

#include <sys/types.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/fd.h"
#include "base/heartbeat.h"
#include "base/mutex.h"

namespace sparkles {

// Thread-safe.
class SyncBacklog {
 public:
  // Borrows `heartbeat`, which may be null. It beats during a sync.
  explicit SyncBacklog(Heartbeat* heartbeat) : heartbeat_(heartbeat) {}

  // Call before a file in `directory`, on the file system `device` (st_dev), gets its name. Opens
  // the file system for a later sync, and keeps one descriptor for each file system.
  absl::Status Reach(dev_t device, const std::string& directory) ABSL_LOCKS_EXCLUDED(mutex_);
  // Adds a complete file that has its name. `device` must have been reached before.
  void AddFile(const std::string& path, dev_t device) ABSL_LOCKS_EXCLUDED(mutex_);
  // Adds a directory in which a name was made.
  void AddDirectory(const std::string& path) ABSL_LOCKS_EXCLUDED(mutex_);

  // Syncs all files and directories that were added before the call. If another thread syncs some
  // of them, waits for that. Ignores files that were removed. The backlog is then empty, even after
  // an error, because the kernel reports a failed write only once, and a second sync would wrongly
  // succeed.
  absl::Status SyncAll() ABSL_LOCKS_EXCLUDED(mutex_, syncing_);

 private:
  struct Work {
    std::vector<std::string> files;
    std::set<std::string> directories;
    std::set<int> file_systems;       // descriptors from file_systems_
    bool whole_file_systems = false;  // too many files to sync one by one
  };
  absl::Status Sync(const Work& work) const;

  Heartbeat* const heartbeat_;
  Mutex syncing_ ABSL_ACQUIRED_BEFORE(mutex_);  // held during a sync
  Mutex mutex_;
  Work work_ ABSL_GUARDED_BY(mutex_);
  std::map<dev_t, UniqueFd> file_systems_ ABSL_GUARDED_BY(mutex_);  // entries never change
};

}  // namespace sparkles
