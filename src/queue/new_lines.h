// Reads the lines that were appended to a file since the last time.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// Longer than any line of a state file, because ids and reasons have limits.
inline constexpr size_t kMaxStateLineBytes = 1 << 20;

// Passes each complete line after `offset` to `take`, without its line end. An error of `take` ends
// the reading. Also passes an incomplete line that is longer than kMaxStateLineBytes, which `take`
// must refuse. Returns the size of the file, including an incomplete line. Errors name `path`.
absl::StatusOr<off_t> ReadNewLines(int fd, off_t offset, const std::string& path,
                                   absl::FunctionRef<absl::Status(absl::string_view line)> take);

}  // namespace sparkles
