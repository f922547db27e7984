// Keeps each input of this machine's tasks once, under the SHA-256 of its content. All workers with
// the same directory share the entries.
// An entry is valid if it has its content. A record beside the entry says that the content was
// checked. The record is valid while the file is untouched (size, mtime, ctime, inode) and the
// machine was not rebooted. So the cache notices an entry that a task has edited or a power cut has
// damaged, and needs no fsync.
//
// Files of content with the hash H: "H" is the content, mode 0444. "H.ok" is the record, touched at
// each use. "H.lock" exists and is locked (flock) while a thread fills or checks the entry.
// "uses.lock" has the locks on entries in use (executor/cache_use.h).
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/activity.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/worker_metrics.h"
#include "executor/cache_use.h"
#include "executor/entry_lock.h"
#include "storage/object_store.h"

namespace sparkles {

// Thread-safe. Each `url` must name a content-addressed object: its base name is the SHA-256 of the
// content in hex. Errors: those of the store; DataLoss if the object does not have that content;
// Cancelled; a machine fault for errors in the cache directory.
class ContentCache {
 public:
  // Borrows all but the texts. `metrics`, which counts hits and misses, and `log` may be null.
  // Removes leftovers of dead workers from `directory`, which need not exist yet.
  ContentCache(std::string directory, ObjectStore& store, Clock& clock,
               WorkerMetrics* metrics = nullptr, const Log* log = nullptr,
               const std::string& boot_id_path = "/proc/sys/kernel/random/boot_id");

  // Makes `dst` a private copy of the content with `mode` less umask, atomically, replacing what
  // was there. The directory of `dst` must exist.
  absl::Status Copy(const std::string& url, const std::string& dst, mode_t mode,
                    const Activity& activity);

  // A CacheUse for Fetch. It keeps entries for all cache objects on the same directory.
  absl::StatusOr<CacheUse> OpenUse() const;

  // Returns the path of the entry, for a symlink to it. nullopt if a worker that has locked the
  // entry shows no sign of life, or if `use` cannot hold the entry. `use` (may be null) holds the
  // entry from now on. The content is checked. A task that can write to the entry may change it
  // later, so call DropIfChanged after the task.
  absl::StatusOr<std::optional<std::string>> Fetch(const std::string& url, const Activity& activity,
                                                   CacheUse* use = nullptr);

  // Drops the entry if it no longer has its content. True if there is no entry afterwards.
  absl::StatusOr<bool> DropIfChanged(const std::string& url, const Activity& activity);

  // Calls `write`, which makes a file in `directory`. If there is no space for the file, and the
  // cache is on that disk, evicts all unused entries and calls `write` once more.
  absl::Status RetryAfterEviction(const std::string& directory, const Activity& activity,
                                  absl::FunctionRef<absl::Status()> write)
      ABSL_LOCKS_EXCLUDED(evict_mutex_);

 private:
  // An open entry, and its attributes when it was opened, which show later changes.
  struct Entry {
    std::string path;
    UniqueFd fd;
    struct stat seen;
  };

  // Aborted if the entry does not have the content `hash`.
  absl::Status CopyEntry(const Entry& entry, const std::string& hash, const std::string& dst,
                         mode_t mode, const Activity& activity);
  // nullopt if a worker that has locked the entry shows no sign of life.
  absl::StatusOr<std::optional<Entry>> Find(const std::string& url, const Activity& activity);
  absl::StatusOr<EntryLock> LockEntry(const std::string& hash, const Activity& activity);
  // nullopt if there is no entry, or another kind of file in its place.
  absl::StatusOr<std::optional<Entry>> OpenEntry(const std::string& hash) const;
  // The same, but nullopt if the entry has no valid record.
  absl::StatusOr<std::optional<Entry>> OpenTrusted(const std::string& hash) const;
  // Needs the entry's lock. Returns an entry with a valid record or checked content. Removes any
  // other file from its place.
  absl::StatusOr<std::optional<Entry>> OpenChecked(const std::string& hash,
                                                   const Activity& activity);
  absl::StatusOr<bool> HasContent(const Entry& entry, const std::string& hash,
                                  const Activity& activity);
  // Needs the entry's lock. Call it if there is no entry.
  absl::StatusOr<Entry> Fill(const std::string& url, const std::string& hash,
                             const Activity& activity);
  // Downloads the object for `path` and checks its content. The caller must commit the file.
  absl::StatusOr<AtomicFile> Download(const std::string& url, const std::string& path, mode_t mode,
                                      const Activity& activity);
  static absl::StatusOr<Entry> Publish(AtomicFile& file);
  absl::StatusOr<std::string> HashContent(int fd, int64_t size, absl::string_view name,
                                          const Activity& activity);
  // EvictForSpace evicts all unused entries, unless EvictionCount has grown since
  // `evictions_before`, because then another thread has just done it. False if no space could be
  // freed.
  int EvictionCount() ABSL_LOCKS_EXCLUDED(evict_mutex_);
  bool EvictForSpace(int evictions_before, const Activity& activity)
      ABSL_LOCKS_EXCLUDED(evict_mutex_);
  void WarnOfWait(const absl::Status& status) const;
  void Count(Counter WorkerMetrics::* counter);
  std::string PathOf(const std::string& hash) const;
  std::string RecordPathOf(const std::string& hash) const;
  std::string RecordOf(const Entry& entry) const;

  const std::string directory_;
  ObjectStore& store_;
  Clock& clock_;
  WorkerMetrics* const metrics_;
  const Log* const log_;
  const std::string boot_id_;  // empty if unknown; then no record is valid
  Mutex evict_mutex_;          // held during an eviction
  int evictions_ ABSL_GUARDED_BY(evict_mutex_) = 0;
};

}  // namespace sparkles
