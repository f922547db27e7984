// Uploads a task's outputs.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/activity.h"
#include "base/current_task.h"
#include "storage/object_store.h"
#include "task/task_result.h"

namespace sparkles {

class Uploader {
 public:
  // Borrows `store` and `current`, which gets the uploaded files and bytes. Uploads up to
  // `transfers` files at a time.
  Uploader(ObjectStore& store, CurrentTask& current, int transfers)
      : store_(store), current_(current), transfers_(transfers) {}

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
                      const Activity& activity, TaskResult& result);

 private:
  ObjectStore& store_;
  CurrentTask& current_;
  const int transfers_;
};

}  // namespace sparkles
