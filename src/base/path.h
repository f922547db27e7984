// Paths that come from a task spec, kept inside the folder they belong to.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// Absolute, with every symlink resolved. The error of realpath(3), with `path`, if it does not
// exist or cannot be reached.
absl::StatusOr<std::string> RealPath(const std::string& path);

// `path` with "." and ".." elements and repeated slashes resolved as text ("a/./b//../c" -> "a/c");
// "." if nothing is left. InvalidArgument if it is absolute, leads above its start, or holds a NUL.
// An empty path is ".".
absl::StatusOr<std::string> CleanRelativePath(absl::string_view path);

// InvalidArgument unless `path`, with every symlink resolved, lies in the folder `root` or is it.
// Parts at the end of `path` that do not exist yet are allowed: the existing part decides. It looks
// at one moment; callers make sure that nobody else changes the folder meanwhile.
absl::Status CheckInside(const std::string& root, const std::string& path);

}  // namespace sparkles
