// Reads a piece of a log that may still be growing, for clients that want whole characters.
// The one hard idea: a piece that ends inside a UTF-8 character leaves that character to the next
// piece; but bytes that are no UTF-8 are never waited for, so that no content stalls the reader.
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
// first character has more bytes than `size`. The data ends with a whole character, unless it is no
// UTF-8 there or the log has `ended` inside a character: what could still become a character is not
// there for a reader before. Where the offset lies in a character its rest is given as "?"s.
absl::StatusOr<LogPiece> ReadLog(int fd, int64_t offset, size_t size, bool ended);

}  // namespace sparkles
