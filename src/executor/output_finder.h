// Finds the files in a work folder that a task wants uploaded.
// Symlinks make the directory a graph. Each real directory is entered once: by its real path if
// that can match, otherwise by the first link to it. No directory outside is entered.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/activity.h"
#include "base/glob.h"
#include "task/task_result.h"

namespace sparkles {

// Paths are relative to the work folder, of any length and with any bytes. Both lists are sorted.
struct Outputs {
  std::vector<std::string> files;    // regular files, or symlinks to some
  std::vector<SkippedFile> skipped;  // unreadable entries that match, or could hold a match
  std::vector<size_t> unmatched;     // indexes of include patterns without a match in either list
};

// The files below `work_folder` that match one of `include` and none of `exclude`. A symlink to a
// file counts wherever it leads; one to a folder is followed if that lies in the work folder.
// Mounts below the work folder (proc, a bucket, a bind mount) are skipped. An error is a machine
// fault: the work folder or the target of a link cannot be read (a dead mount), or the machine is
// out of descriptors or memory, so that the list would be incomplete. Nothing may change the folder
// meanwhile. Each entry and each folder is work of `activity`: Cancelled once that is cancelled.
absl::StatusOr<Outputs> FindOutputs(const std::string& work_folder,
                                    const std::vector<Glob>& include,
                                    const std::vector<Glob>& exclude,
                                    const Activity& activity = Activity());

}  // namespace sparkles
