// Puts a task's inputs into its work directory, and later finds out which of them the task changed.
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
#include "base/current_task.h"
#include "base/log.h"
#include "executor/content_cache.h"
#include "storage/object_store.h"
#include "task/task_spec.h"

namespace sparkles {

// An input that the worker put into the work directory. A file that a script had made before is
// none.
struct StagedInput {
  Download download;
  struct stat seen;      // of the file when it was staged; symlinks are followed
  bool aged = false;     // the file was old enough that each later edit changes its ctime
  uint32_t crc32c = 0;   // of the content; 0 if the download is content-addressed
  bool symlink = false;  // a link into the cache
  bool changed = false;  // set by DetectChangedInputs
};

class Stager {
 public:
  // Borrows all. Fetches up to `transfers` inputs at a time. `current` gets the fetched files and
  // bytes.
  Stager(ObjectStore& store, ContentCache& cache, Clock& clock, CurrentTask& current, int transfers)
      : store_(store), cache_(cache), clock_(clock), current_(current), transfers_(transfers) {}

  // Puts all inputs in place, with checked content. Cache entries that the links point to stay as
  // long as this object exists. Keeps a `dst` that exists already. The first error stops the rest;
  // its message begins with `downloads: DST: `.
  absl::StatusOr<std::vector<StagedInput>> Stage(const std::vector<Download>& downloads,
                                                 const std::string& work_directory,
                                                 const Activity& activity, const Log& log);

  // Call after the command. Replaces the links of changed inputs by copies of their present content
  // where possible. Returns the sorted paths of the unchanged inputs.
  absl::StatusOr<std::vector<std::string>> DetectChangedInputs(std::vector<StagedInput>& inputs,
                                                               const std::string& work_directory,
                                                               const Activity& activity,
                                                               const Log& log);

  // Call after the uploads, which may read entries through other links of the task. Drops the cache
  // entries of changed inputs. Errors are only logged, because the next use of an entry checks it
  // again.
  void DropChanged(const std::vector<StagedInput>& inputs, const Activity& activity,
                   const Log& log);

 private:
  absl::StatusOr<std::optional<StagedInput>> StageOne(const Download& download,
                                                      const std::string& work_directory,
                                                      const Activity& activity);
  absl::Status PlaceInput(const Download& download, const std::string& path, StagedInput& staged,
                          const Activity& activity);
  absl::Status Fetch(const std::string& url, const std::string& path, mode_t mode,
                     StagedInput& staged, const Activity& activity);
  absl::StatusOr<bool> IsUnchanged(const StagedInput& input, const std::string& path,
                                   const Activity& activity);
  absl::Status ReplaceLinkWithCopy(const std::string& path, const Activity& activity);

  ObjectStore& store_;
  ContentCache& cache_;
  Clock& clock_;
  CurrentTask& current_;
  const int transfers_;
  std::optional<CacheUse> use_;  // keeps the entries that the links point to
};

}  // namespace sparkles
