// Keeps paths of a task spec inside their directory.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// The absolute path with every symlink resolved. The error of realpath(3), with `path`, if `path`
// does not exist or cannot be reached.
absl::StatusOr<std::string> RealPath(const std::string& path);

// `path` with "." and ".." elements and repeated slashes resolved as text ("a/./b//../c" -> "a/c");
// "." if nothing remains or `path` is empty. InvalidArgument if `path` is absolute, leads above its
// start, or contains a NUL.
absl::StatusOr<std::string> CleanRelativePath(absl::string_view path);

// InvalidArgument unless `path`, with every symlink resolved, is the directory `root` or lies in
// it. The last parts of `path` may not exist yet; then the existing part decides. Callers must not
// let another process change the directory at the same time.
absl::Status CheckInside(const std::string& root, const std::string& path);

}  // namespace sparkles
