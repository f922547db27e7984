// Reads and copies the content of files with as little work as the file system allows.
// If the file system can share blocks between files (reflink), a copy moves no data. Otherwise the
// copy goes piece by piece, so that the caller can give signs of life and stop it.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/activity.h"

namespace sparkles {

// Calls `visit` with consecutive pieces of the first `size` bytes of the file `fd`. Does not use
// the position of the file. Stops at the first error of `visit` and returns it. Aborted if the file
// is shorter.
absl::Status ReadPieces(int fd, uint64_t size,
                        absl::FunctionRef<absl::Status(absl::string_view piece)> visit);

// Writes all of `data` at `offset`, without using the position of the file. The message names no
// file.
absl::Status WriteAt(int fd, uint64_t offset, absl::string_view data);

// Copies the whole content of the regular file `from` to the empty regular file `to`, both by
// offset, and returns its size in bytes. `to` must be readable too. If `crc32c` is not null, it
// receives the checksum of the bytes in `to`.
// The copy is work of `activity`, whose cancellation stops it. Aborted if `from` changes during the
// copy. Messages say which file failed, but contain no name: the caller adds it. After an error the
// content of `to` is undefined.
absl::StatusOr<uint64_t> CopyContent(int from, int to, uint32_t* crc32c, const Activity& activity);

}  // namespace sparkles
