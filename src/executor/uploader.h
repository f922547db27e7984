// Delivers a task's outputs to their store.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/activity.h"
#include "base/clock.h"
#include "base/log.h"
#include "storage/object_store.h"
#include "task/task_result.h"

namespace sparkles {

class Uploader {
 public:
  // Borrows both. `transfers` is how many files are uploaded at a time.
  Uploader(ObjectStore& store, Clock& clock, int transfers)
      : store_(store), clock_(clock), transfers_(transfers) {}

  // Uploads `paths` (relative to `work_folder`) to `folder_url`/path. What arrived is appended to
  // `result.files` in the order of `paths`, also after an error; what cannot be opened for lack of
  // permission, or not be read, goes to `result.skipped`. A file that fails for a reason of its
  // own, or has a name that no store can hold (malformed UTF-8, a line end), is an error, but the
  // others are delivered first; ten such failures end it, and so do a machine fault and a cancelled
  // token. `options` holds for each file.
  absl::Status Upload(const std::string& work_folder, const std::vector<std::string>& paths,
                      const std::string& folder_url, const UploadOptions& options,
                      const Activity& activity, const Log& log, TaskResult& result);

 private:
  ObjectStore& store_;
  Clock& clock_;
  const int transfers_;
};

}  // namespace sparkles
