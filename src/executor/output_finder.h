// Finds the files in a work directory that a task's patterns select.
// Symlinks make the directory a graph. Each real directory is entered once: by its real path if
// that can match, otherwise by the first link to it. Directories outside are not entered.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/activity.h"
#include "base/glob.h"
#include "task/task_result.h"

namespace sparkles {

// Paths are relative to the work directory, of any length and with any bytes. Both lists are
// sorted.
struct Outputs {
  std::vector<std::string> files;    // regular files, and symlinks to regular files
  std::vector<SkippedFile> skipped;  // unreadable entries that match, or could hold a match
  std::vector<size_t> unmatched;     // indexes of include patterns without a match in either list
};

// The files below `work_directory` that match one of `include` and none of `exclude`. A symlink to
// a file is an output wherever the file is. A symlink to a directory is followed if that directory
// is in the work directory. Mounts below the work directory (proc, a bucket, a bind mount) are
// skipped. Call it when no process changes the directory any more.
//
// Each entry and each directory is work of `activity`. Errors: Cancelled with `activity`; a machine
// fault if the list would be incomplete, because the work directory or the target of a link cannot
// be read (a dead mount), or descriptors or memory are exhausted.
absl::StatusOr<Outputs> FindOutputs(const std::string& work_directory,
                                    const std::vector<Glob>& include,
                                    const std::vector<Glob>& exclude,
                                    const Activity& activity = Activity());

}  // namespace sparkles
