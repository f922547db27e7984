// Removes the checkpoint of a task that has ended, and objects that no checkpoint needs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/activity.h"
#include "storage/object_store.h"

namespace sparkles {

struct ObjectVersion {
  std::string name;  // in the directory of the checkpoint
  int64_t generation = 0;
};

// The objects of a task's checkpoint that the store may have.
struct CheckpointObjects {
  std::string url;  // of the directory (CheckpointUrl)
  std::optional<int64_t> manifest_generation;
  std::vector<ObjectVersion> objects;
  // True if the directory may have more objects, for example of a killed attempt. Then the objects
  // of all attempts up to `attempt` of the task with `tag` (TaskTag) are removed, too.
  bool list = false;
  int attempt = 1;
  std::string tag;
};

// Removes `objects`. Returns the first error. Continues after an error, but not after a refusal or
// a cancellation.
absl::Status RemoveObjects(const std::string& url, const std::vector<ObjectVersion>& objects,
                           ObjectStore& store, int transfers, const Activity& activity);

// Removes the manifest first, so that no manifest lists objects that are missing. Call it only
// after the end of the task is recorded. A later attempt's checkpoint stays.
absl::Status RemoveCheckpoint(const CheckpointObjects& checkpoint, ObjectStore& store,
                              int transfers, const Activity& activity);

}  // namespace sparkles
