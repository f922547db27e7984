// Files that have been written but not yet forced to disk.
// The one hard idea: a name is on disk only once its folder is, and the name of that folder only
// once the folder above is; and beyond a few files one sync of the file system is cheaper than all.
#pragma once

#include <sys/types.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/fd.h"
#include "base/mutex.h"
#include "base/vitals.h"

namespace sparkles {

// Thread-safe.
class SyncBacklog {
 public:
  // Borrows `heartbeat`, which may be null: a sync that goes on is a sign of life.
  explicit SyncBacklog(Heartbeat* heartbeat) : heartbeat_(heartbeat) {}

  // To be called before a file in `folder`, which lies on `device` (st_dev), gets its name: whether
  // it will be possible to sync that file system. Keeps one descriptor on each, for good.
  absl::Status Reach(dev_t device, const std::string& folder) ABSL_LOCKS_EXCLUDED(mutex_);
  // A complete file that has got its name, on a device that was reached.
  void AddFile(const std::string& path, dev_t device) ABSL_LOCKS_EXCLUDED(mutex_);
  // A folder in which a name was made.
  void AddFolder(const std::string& path) ABSL_LOCKS_EXCLUDED(mutex_);

  // Forces to disk all that was added before the call, also what another thread is at. What has
  // vanished meanwhile is not missed. The backlog is empty afterwards, after an error as well: the
  // kernel forgets what it could not write, so that a second try would wrongly succeed.
  absl::Status SyncAll() ABSL_LOCKS_EXCLUDED(mutex_, syncing_);

 private:
  struct Work {
    std::vector<std::string> files;
    std::set<std::string> folders;
    std::set<int> file_systems;       // descriptors of file_systems_
    bool whole_file_systems = false;  // there are too many files to sync one by one
  };
  absl::Status Sync(const Work& work) const;

  Heartbeat* const heartbeat_;
  Mutex syncing_ ABSL_ACQUIRED_BEFORE(mutex_);  // held while the disk works
  Mutex mutex_;
  Work work_ ABSL_GUARDED_BY(mutex_);
  std::map<dev_t, UniqueFd> file_systems_ ABSL_GUARDED_BY(mutex_);  // entries never change
};

}  // namespace sparkles
