// Finds mounts, and detects pseudo file systems.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sparkles {

struct Mount {
  std::string root;     // the mounted path within its file system
  std::string point;    // the path of the mount, without symlinks
  std::string type;     // file system type: "proc", "ext4", "fuse.gcsfuse"
  std::string options;  // file system options: "rw,memory"
};

// All mounts in a text in the form of /proc/self/mountinfo (proc(5)). Skips malformed lines.
std::vector<Mount> ParseMounts(absl::string_view mountinfo);

// The mounts below `directory`, an absolute path without symlinks. Excludes a mount at `directory`
// itself.
std::vector<Mount> ParseMountsBelow(absl::string_view mountinfo, absl::string_view directory);

// The same for the mounts of this process; empty without /proc. Accesses no mounted file system, so
// a dead mount cannot block the caller.
std::vector<Mount> MountsBelow(const std::string& directory);

// True if both open files are on one mount (without /proc: on one device).
bool IsSameMount(int one, int other);

// True if the open file is on a pseudo file system (proc, sysfs, cgroup ...). The size of such a
// file differs from its content, and some files cannot be read.
bool IsOnPseudoFileSystem(int fd);

}  // namespace sparkles
