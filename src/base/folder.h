// Reading a folder that may be anywhere: below paths longer than PATH_MAX, and without trust in
// what its entries say they are.
#pragma once

#include <dirent.h>

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/fd.h"

namespace sparkles {

// openat(2) with O_CLOEXEC for a relative `path` of any length; symlinks on the way are followed.
// The message names `path`.
absl::StatusOr<UniqueFd> OpenBelow(int folder_fd, absl::string_view path, int flags);

// Calls `visit` with every entry of the open folder `folder_fd`, "." and ".." aside, in the order
// of the file system. `type` is DT_REG, DT_DIR, DT_LNK ... and never DT_UNKNOWN unless the entry
// is gone already. Reads from the descriptor's position, so once for each open. `name` is for the
// error, after which some entries may have been visited. An error of `visit` ends it and is
// returned.
using EntryVisitor = absl::FunctionRef<absl::Status(const char* entry, unsigned char type)>;
absl::Status ForEachEntry(int folder_fd, absl::string_view name, EntryVisitor visit);

// Whether nothing can be written to the folder because its file system is (or has turned)
// read-only.
bool IsReadOnly(const std::string& folder);

}  // namespace sparkles
