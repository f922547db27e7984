// Where other file systems are mounted, and which of them hold no real files.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sparkles {

struct Mount {
  std::string point;  // its path, without symlinks
  std::string type;   // of the file system: "proc", "ext4", "fuse.gcsfuse"
};

// The mounts below `folder`, of a text in the form of /proc/self/mountinfo (proc(5)). `folder` is
// an absolute path without symlinks; a mount at `folder` itself is not below it. Lines of any other
// form are left out.
std::vector<Mount> ParseMountsBelow(absl::string_view mountinfo, absl::string_view folder);

// The same of this process's mounts. None where there is no /proc. Touches no mounted file system,
// so that none that is dead can hang the caller.
std::vector<Mount> MountsBelow(const std::string& folder);

// Whether both open files lie on one mount. Without /proc: on one device.
bool IsSameMount(int one, int other);

// Whether the open file lies on a file system that shows the kernel's state as files (proc, sysfs,
// cgroup ...): their sizes are not those of their content, and some cannot be read at all.
bool IsOnPseudoFileSystem(int fd);

}  // namespace sparkles
