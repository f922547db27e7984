#include "monitor/log_reader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

constexpr size_t kLongestCharacter = 4;

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// How many bytes a character has that begins with `lead`; 1 if none begins so.
size_t LengthByLead(unsigned char lead) {
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 1;
}

// Whether `start`, shorter than its lead byte says, can become a character (RFC 3629: no overlong
// forms, no surrogates, nothing above U+10FFFF).
bool CanBecomeCharacter(absl::string_view start) {
  // Where the second byte decides, continuation bytes of the least value complete the character.
  std::string completed(start);
  const unsigned char lead = static_cast<unsigned char>(start[0]);
  if (start.size() == 1 && (lead == 0xE0 || lead == 0xF0)) completed += '\xBF';
  completed.resize(LengthByLead(lead), '\x80');
  return Utf8Length(completed) == completed.size();
}

}  // namespace

size_t WithoutPartialCharacter(absl::string_view text) {
  const size_t most = std::min(text.size(), kLongestCharacter - 1);
  for (size_t back = 1; back <= most; ++back) {
    const absl::string_view end = text.substr(text.size() - back);
    const unsigned char byte = static_cast<unsigned char>(end[0]);
    if (IsContinuation(byte)) continue;
    const bool partial = LengthByLead(byte) > back && CanBecomeCharacter(end);
    return partial ? text.size() - back : text.size();
  }
  return text.size();
}

absl::StatusOr<LogPiece> ReadLog(int fd, int64_t offset, size_t size, bool ended) {
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoError(errno, "log");
  LogPiece piece;
  if (offset >= info.st_size) {
    piece.was_cut = offset > info.st_size;
    piece.new_offset = piece.was_cut ? 0 : offset;
    piece.at_end = true;
    return piece;
  }
  // A few bytes more tell whether this is the end, and complete a character longer than `size`.
  const size_t there = static_cast<size_t>(info.st_size - offset);
  piece.data.resize(std::min(size, there) + kLongestCharacter);
  ssize_t got;
  do {
    got = pread(fd, piece.data.data(), piece.data.size(), offset);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return ErrnoError(errno, "log");
  const absl::string_view read(piece.data.data(), static_cast<size_t>(got));
  piece.at_end = read.size() <= size;
  const absl::string_view asked = read.substr(0, size);
  size_t length = WithoutPartialCharacter(asked);
  if (piece.at_end && ended) length = asked.size();
  if (length == 0 && !piece.at_end) length = std::max(Utf8Length(read), asked.size());
  piece.data.resize(length);
  piece.new_offset = offset + static_cast<int64_t>(length);
  return piece;
}

}  // namespace sparkles
