// Brings a task's inputs into its work folder, and tells afterwards which of them it changed.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/activity.h"
#include "base/log.h"
#include "executor/content_cache.h"
#include "storage/object_store.h"
#include "task/task_spec.h"

namespace sparkles {

// An input that was put into the work folder (not one that a script had made there before).
struct StagedInput {
  Download download;
  struct stat seen;      // of the content (symlinks followed), when it was staged
  bool aged = false;     // an edit after the staging cannot leave `seen` as it is
  uint32_t crc32c = 0;   // of the content, unless the download is content-addressed
  bool symlink = false;  // a link into the cache
  bool changed = false;  // known after Settle
};

class Stager {
 public:
  // Borrows all. `transfers` is how many inputs are fetched at a time.
  Stager(ObjectStore& store, ContentCache& cache, Clock& clock, int transfers)
      : store_(store), cache_(cache), clock_(clock), transfers_(transfers) {}

  // All inputs, in place and checked; links into the cache are good as long as this object. The
  // first error stops the rest; its message names the field
  // (`downloads: DST: ...`). A `dst` that exists already is kept.
  absl::StatusOr<std::vector<StagedInput>> Stage(const std::vector<Download>& downloads,
                                                 const std::string& work_folder,
                                                 const Activity& activity, const Log& log);

  // For after the command: gives changed symlinked inputs a private copy of what they hold now, if
  // that can be had. Then the sorted paths of inputs that still have the content they were staged
  // with.
  absl::StatusOr<std::vector<std::string>> Settle(std::vector<StagedInput>& inputs,
                                                  const std::string& work_folder,
                                                  const Activity& activity, const Log& log);

  // For after the uploads, which may read through a link that the task made or moved: drops the
  // cache entries of changed symlinked inputs, so that no later task sees them. Best effort: who
  // uses an entry next finds out all the same.
  void DropChanged(const std::vector<StagedInput>& inputs, const Activity& activity,
                   const Log& log);

 private:
  absl::StatusOr<std::optional<StagedInput>> StageOne(const Download& download,
                                                      const std::string& work_folder,
                                                      const Activity& activity);
  absl::Status Put(const Download& download, const std::string& path, StagedInput& staged,
                   const Activity& activity);
  absl::Status Fetch(const std::string& url, const std::string& path, mode_t mode,
                     StagedInput& staged, const Activity& activity);
  absl::StatusOr<bool> IsUnchanged(const StagedInput& input, const std::string& path,
                                   const Activity& activity);
  absl::Status Detach(const std::string& path, const Activity& activity);

  ObjectStore& store_;
  ContentCache& cache_;
  Clock& clock_;
  const int transfers_;
  std::optional<CacheUse> use_;  // of the entries that links point to
};

}  // namespace sparkles
