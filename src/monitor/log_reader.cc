#include "monitor/log_reader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"
#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

constexpr size_t kLongestCharacter = 4;

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// The length in bytes of a character that begins with `lead`; 1 if no character begins so.
size_t LengthByLead(unsigned char lead) {
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 1;
}

// True if `start`, which is shorter than its first byte demands, can become a character. RFC 3629
// excludes overlong forms, surrogates and values above U+10FFFF.
bool CanBecomeCharacter(absl::string_view start) {
  // The byte 80 can complete every character, except as the second byte after E0 or F0. There BF
  // is valid.
  std::string completed(start);
  const unsigned char lead = static_cast<unsigned char>(start[0]);
  if (start.size() == 1 && (lead == 0xE0 || lead == 0xF0)) completed += '\xBF';
  completed.resize(LengthByLead(lead), '\x80');
  return Utf8Length(completed) == completed.size();
}

// The number of bytes at `at` that belong to a character that begins before `at`. The character is
// well-formed, or can become well-formed if the text `may_grow`.
size_t RestOfCharacter(absl::string_view text, size_t at, bool may_grow) {
  for (size_t back = 1; back <= std::min(at, kLongestCharacter - 1); ++back) {
    const unsigned char byte = static_cast<unsigned char>(text[at - back]);
    if (IsContinuation(byte)) continue;
    const size_t length = LengthByLead(byte);
    if (length <= back) return 0;
    const absl::string_view start = text.substr(at - back, length);
    const bool whole = start.size() == length && Utf8Length(start) == length;
    const bool partial = start.size() < length && may_grow && CanBecomeCharacter(start);
    return whole || partial ? start.size() - back : 0;
  }
  return 0;
}

// The length of the first character, or 0 if it is not well-formed.
size_t FirstCharacterLength(absl::string_view text) {
  const size_t length = LengthByLead(static_cast<unsigned char>(text[0]));
  return Utf8Length(text.substr(0, length)) == length ? length : 0;
}

// Reads up to `size` bytes at `offset`, which must not be after the end.
absl::StatusOr<std::string> ReadAt(int fd, int64_t offset, size_t size) {
  std::string data(size, ' ');
  const ssize_t got = RetryOnEintr([&] { return pread(fd, data.data(), data.size(), offset); });
  if (got < 0) return ErrnoError(errno, "log");
  data.resize(static_cast<size_t>(got));
  return data;
}

// Replaces each byte that is not part of a well-formed character by '?'. Keeps the length.
void ReplaceMalformed(std::string& text) {
  size_t at = 0;
  while (at < text.size()) {
    const size_t length = Utf8Length(absl::string_view(text).substr(at));
    if (length == 0) text[at] = '?';
    at += std::max<size_t>(length, 1);
  }
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
  // Reads a few bytes more, to see whether this is the end and to complete a character longer than
  // `size`. Reads a few bytes before, to see whether the offset is inside a character, as can
  // happen after the command has truncated the log.
  const size_t before = static_cast<size_t>(std::min<int64_t>(offset, kLongestCharacter - 1));
  const size_t there = static_cast<size_t>(info.st_size - offset);
  ASSIGN_OR_RETURN(piece.data, ReadAt(fd, offset - static_cast<int64_t>(before),
                                      before + std::min(size, there) + kLongestCharacter));
  const size_t rest = RestOfCharacter(piece.data, std::min(before, piece.data.size()), !ended);
  piece.data.erase(0, before);
  piece.data.replace(0, rest, rest, '?');  // keeps the length, so that offsets stay right
  // The rest of an incomplete character may still come.
  if (!ended) piece.data.resize(WithoutPartialCharacter(piece.data));
  piece.at_end = piece.data.size() <= size;
  if (!piece.at_end) {
    const size_t whole = WithoutPartialCharacter(absl::string_view(piece.data).substr(0, size));
    piece.data.resize(whole > 0 ? whole : std::max(FirstCharacterLength(piece.data), size));
  }
  ReplaceMalformed(piece.data);
  piece.new_offset = offset + static_cast<int64_t>(piece.data.size());
  return piece;
}

}  // namespace sparkles
