// The content of files, read and copied with as little work as the file system allows.
// The one hard idea: where blocks can be shared between files (reflink) a copy moves nothing; what
// cannot be shared is moved piece by piece, so that the caller can show life and stop it.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/activity.h"

namespace sparkles {

// Calls `visit` with consecutive pieces of the first `size` bytes of the file `fd`, whose position
// is not used. The first error of `visit` ends it and is returned. Aborted if the file is shorter.
absl::Status ReadPieces(int fd, uint64_t size,
                        absl::FunctionRef<absl::Status(absl::string_view piece)> visit);

// Writes all of `data` at `offset`, whatever the position of the file. The message names no file.
absl::Status WriteAt(int fd, uint64_t offset, absl::string_view data);

// Copies the whole content of the regular file `from` to the empty regular file `to`, both by
// offset, and returns its size in bytes. `to` must be readable as well. If `crc32c` is not null it
// receives the checksum of the very bytes that are in `to`.
// What it copies is work of `activity`. Aborted if `from` was changed meanwhile. Messages say which
// side failed, but name no file: the caller knows better names than we do. After an error the
// content of `to` is undefined.
absl::StatusOr<uint64_t> CopyContent(int from, int to, uint32_t* crc32c, const Activity& activity);

}  // namespace sparkles
