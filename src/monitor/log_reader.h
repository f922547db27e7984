// Reads pieces of a growing log as whole characters of UTF-8.
// A piece has as many bytes as its part of the log, so that offsets stay right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// The length of `text` without an incomplete character at its end: up to 3 bytes that further bytes
// could complete.
size_t WithoutPartialCharacter(absl::string_view text);

struct LogPiece {
  std::string data;
  int64_t new_offset = 0;  // where to continue
  bool at_end = false;     // the log has no more bytes now
  bool was_cut = false;    // the log is shorter than the offset; new_offset is 0
};

// Reads up to `size` bytes (at least 1) at `offset` (at least 0) with pread, or up to 3 more if the
// first character is longer than `size`. The data is well-formed UTF-8: '?' replaces each byte that
// is not part of a character, or is part of a character that begins before `offset`. Unless the log
// has `ended`, leaves out an incomplete character at the end of the log.
absl::StatusOr<LogPiece> ReadLog(int fd, int64_t offset, size_t size, bool ended);

}  // namespace sparkles
