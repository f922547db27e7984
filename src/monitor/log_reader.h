// Reads a piece of a log that may still be growing, for clients that want whole characters.
// Each piece is well-formed UTF-8 and has as many bytes as its part of the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sparkles {

// The length of `text` without the beginning of a character at its end: less than 4 bytes that more
// bytes could make a well-formed one.
size_t WithoutPartialCharacter(absl::string_view text);

struct LogPiece {
  std::string data;
  int64_t new_offset = 0;  // where to go on
  bool at_end = false;     // nothing more was there
  bool was_cut = false;    // the log is shorter than it was: begin again at 0, as new_offset says
};

// Up to `size` bytes (at least 1) from `offset` (at least 0), read with pread. Up to 3 more if the
// first character has more bytes than `size`. The data is well-formed UTF-8: '?' stands for each
// byte that is not part of a character, or is part of one that begins before `offset`. Leaves out
// an incomplete character at the end of the log, since its rest may come, unless the log has
// `ended`.
absl::StatusOr<LogPiece> ReadLog(int fd, int64_t offset, size_t size, bool ended);

}  // namespace sparkles
