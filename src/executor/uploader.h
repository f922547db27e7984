// Uploads a task's outputs.
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
  // Borrows `store` and `clock`. Uploads up to `transfers` files at a time.
  Uploader(ObjectStore& store, Clock& clock, int transfers)
      : store_(store), clock_(clock), transfers_(transfers) {}

  // Uploads each of `paths` (relative to `work_directory`) to `directory_url`/path, with `options`.
  // Appends delivered files to `result.files` in the order of `paths`, also if it returns an error.
  // Appends files that cannot be opened for lack of permission, or cannot be read, to
  // `result.skipped`.
  //
  // An error of one file, or a name that no store can hold (malformed UTF-8, a line end), is
  // returned after the other files were uploaded. Ten such errors, a machine fault or a
  // cancellation end the upload.
  absl::Status Upload(const std::string& work_directory, const std::vector<std::string>& paths,
                      const std::string& directory_url, const UploadOptions& options,
                      const Activity& activity, const Log& log, TaskResult& result);

 private:
  ObjectStore& store_;
  Clock& clock_;
  const int transfers_;
};

}  // namespace sparkles
