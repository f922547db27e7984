// Identifies the task and the attempts that a checkpoint belongs to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "checkpoint/manifest.h"
#include "task/task.h"

namespace sparkles {

struct CheckpointIdentity {
  // `history` includes the claim of `attempt`, which counts from 1.
  static CheckpointIdentity Of(absl::string_view spec, const std::vector<HistoryEntry>& history,
                               int attempt);

  int attempt = 1;
  // The first attempt since the task was made, or since it last ended.
  int first_attempt = 1;
  std::string spec_sha256;  // hex
  absl::Time task_created;  // whole milliseconds, as all queues keep them

  // True if an earlier attempt may have left a checkpoint.
  bool may_have_checkpoint() const { return attempt > first_attempt; }

  // The reason why the checkpoint belongs to another task; empty if it belongs to this one.
  std::string ReasonToIgnore(const Manifest& manifest) const;

  std::string tag() const { return TaskTag(spec_sha256, task_created); }
};

// The directory of the checkpoint in the store, without a slash at its end: `sparkles-checkpoint`
// beside result.json. The name is not `checkpoint`, because outputs may be in the same place, and
// some programs write a file `checkpoint`. If the result has another NAME than result.json, the
// directory is `sparkles-checkpoint/NAME`, because results of several tasks may be in one place.
// Empty if `result_url` is empty or has no directory.
std::string CheckpointUrl(const std::string& result_url);

}  // namespace sparkles
