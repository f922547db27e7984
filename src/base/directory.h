// Reads directories that may be below paths longer than PATH_MAX.
#pragma once

#include <dirent.h>

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/fd.h"

namespace sparkles {

// openat(2) with O_CLOEXEC for a relative `path` of any length. Follows symlinks in the path. The
// error message names `path`.
absl::StatusOr<UniqueFd> OpenBelow(int directory_fd, absl::string_view path, int flags);

// Calls `visit` for each entry of the open directory `directory_fd` except "." and "..", in the
// order of the file system. `type` is DT_REG, DT_DIR, DT_LNK ..., or DT_UNKNOWN if the entry was
// removed meanwhile. Reads from the descriptor's position, so call it once for each open. Returns
// the first error of `visit`. Errors of the directory name `name`. Some entries may have been
// visited before an error.
using EntryVisitor = absl::FunctionRef<absl::Status(const char* entry, unsigned char type)>;
absl::Status ForEachEntry(int directory_fd, absl::string_view name, EntryVisitor visit);

// True if the directory cannot be written to because its file system is, or has become, read-only.
bool IsReadOnly(const std::string& directory);

}  // namespace sparkles
