// Finds mounts, and tells real files from those of pseudo file systems.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sparkles {

struct Mount {
  std::string root;     // the path, within the file system, of what is mounted
  std::string point;    // its path, without symlinks
  std::string type;     // of the file system: "proc", "ext4", "fuse.gcsfuse"
  std::string options;  // of the file system: "rw,memory"
};

// All mounts of a text in the form of /proc/self/mountinfo (proc(5)). Skips malformed lines.
std::vector<Mount> ParseMounts(absl::string_view mountinfo);

// Those below `folder`, an absolute path without symlinks. A mount at `folder` itself is not
// included.
std::vector<Mount> ParseMountsBelow(absl::string_view mountinfo, absl::string_view folder);

// The same for the mounts of this process; none without /proc. Touches no mounted file system, so
// that a dead mount cannot hang the caller.
std::vector<Mount> MountsBelow(const std::string& folder);

// True if both open files lie on one mount (without /proc: on one device).
bool IsSameMount(int one, int other);

// True if the open file lies on a pseudo file system (proc, sysfs, cgroup ...). Such files have
// sizes that differ from their content, and some cannot be read.
bool IsOnPseudoFileSystem(int fd);

}  // namespace sparkles
