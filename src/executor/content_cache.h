// The inputs of this machine's tasks, each kept once under the SHA-256 of its content and shared by
// all workers that have the same folder.
// An entry counts only by its content. A record beside the entry remembers a check of the content.
// The record is valid while the file is untouched (size, mtime, ctime, inode) and the machine has
// not been rebooted. So the cache finds an entry that a task has edited or a power cut has damaged,
// and needs no fsync.
//
// Files, for content with the hash H: "H" the content, mode 0444; "H.ok" the record, touched at
// each use; "H.lock" held (flock) by the one thread that fills or checks the entry, and gone
// otherwise; "uses.lock" for what must stay (executor/cache_use.h).
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
#include "base/vitals.h"
#include "executor/cache_use.h"
#include "executor/entry_lock.h"
#include "storage/object_store.h"

namespace sparkles {

// Thread-safe. Every `url` is that of a content-addressed object: its base name is the SHA-256 of
// the content in hex (the caller has made sure). Errors: those of the store for the object;
// DataLoss if it does not have that content; Cancelled; machine fault if the cache folder fails.
class ContentCache {
 public:
  // Borrows all but the texts; `vitals`, which counts hits and misses, and `log` may be null.
  // Removes what dead workers left in `folder`, which need not exist yet.
  ContentCache(std::string folder, ObjectStore& store, Clock& clock, Vitals* vitals = nullptr,
               const Log* log = nullptr,
               const std::string& boot_id_path = "/proc/sys/kernel/random/boot_id");

  // Makes `dst` a private copy of the content with `mode` less umask, atomically, replacing what
  // was there. The folder of `dst` must exist.
  absl::Status Copy(const std::string& url, const std::string& dst, mode_t mode,
                    const Activity& activity);

  // What Fetch gives stays as long as `use` (whatever cache object it is of) holds it.
  absl::StatusOr<CacheUse> OpenUse() const;

  // Returns the path of the entry, for a symlink to it. nullopt if a worker that has locked the
  // entry shows no sign of life, or if `use` cannot hold the entry. `use` (may be null) holds the
  // entry from now on. The content is right now. A task that can write to the entry may change it,
  // so call DropIfChanged after the task.
  absl::StatusOr<std::optional<std::string>> Fetch(const std::string& url, const Activity& activity,
                                                   CacheUse* use = nullptr);

  // Drops the entry if it no longer has its content. True if it is gone.
  absl::StatusOr<bool> DropIfChanged(const std::string& url, const Activity& activity);

  // Calls `write`, which makes a file in `folder`. If there is no space for the file, and the cache
  // is on that disk, evicts all unused entries and calls `write` once more.
  absl::Status WithRoom(const std::string& folder, const Activity& activity,
                        absl::FunctionRef<absl::Status()> write) ABSL_LOCKS_EXCLUDED(room_mutex_);

 private:
  // An open entry and how it looked when it was opened: that tells whether it was touched since.
  struct Entry {
    std::string path;
    UniqueFd fd;
    struct stat seen;
  };

  // Aborted if what the entry holds is not that content (any more).
  absl::Status CopyEntry(const Entry& entry, const std::string& hash, const std::string& dst,
                         mode_t mode, const Activity& activity);
  // nullopt if a worker that has locked the entry shows no sign of life.
  absl::StatusOr<std::optional<Entry>> Find(const std::string& url, const Activity& activity);
  absl::StatusOr<EntryLock> LockEntry(const std::string& hash, const Activity& activity);
  // nullopt if there is none, or nothing that can be one.
  absl::StatusOr<std::optional<Entry>> OpenEntry(const std::string& hash) const;
  // The same if its record does not vouch for it.
  absl::StatusOr<std::optional<Entry>> OpenTrusted(const std::string& hash) const;
  // For the holder of the lock: an entry that its record or its content vouches for. If there is
  // none, nothing is left under its name.
  absl::StatusOr<std::optional<Entry>> OpenChecked(const std::string& hash,
                                                   const Activity& activity);
  absl::StatusOr<bool> HasContent(const Entry& entry, const std::string& hash,
                                  const Activity& activity);
  // For the holder of the lock, if there is no entry.
  absl::StatusOr<Entry> Fill(const std::string& url, const std::string& hash,
                             const Activity& activity);
  // The object under construction at `path`, with the right content. Not yet committed.
  absl::StatusOr<AtomicFile> Download(const std::string& url, const std::string& path, mode_t mode,
                                      const Activity& activity);
  static absl::StatusOr<Entry> Publish(AtomicFile& file);
  absl::StatusOr<std::string> HashContent(int fd, int64_t size, absl::string_view name,
                                          const Activity& activity);
  // How often room was made: who was short of it when it was `rooms_before` need not make it again,
  // and would find nothing to remove. False if there is no room to be had.
  int RoomsMade() ABSL_LOCKS_EXCLUDED(room_mutex_);
  bool MakeRoom(int rooms_before, const Activity& activity) ABSL_LOCKS_EXCLUDED(room_mutex_);
  void WarnOfWait(const absl::Status& status) const;
  void Count(Counter Vitals::* counter);
  std::string PathOf(const std::string& hash) const;
  std::string RecordPathOf(const std::string& hash) const;
  std::string RecordOf(const Entry& entry) const;

  const std::string folder_;
  ObjectStore& store_;
  Clock& clock_;
  Vitals* const vitals_;
  const Log* const log_;
  const std::string boot_id_;  // empty: unknown, and then no record is believed
  Mutex room_mutex_;           // held while room is made
  int rooms_made_ ABSL_GUARDED_BY(room_mutex_) = 0;
};

}  // namespace sparkles
