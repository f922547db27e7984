// Fuzzes the reader of a growing log. The first bytes of the input are the maximum size of pieces
// and the initial length. Pieces must be UTF-8, make progress, and equal the log where it is UTF-8.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/text.h"
#include "monitor/log_reader.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

constexpr size_t kLongestCharacter = 4;

// Reads from the end of `all` until nothing is left, in pieces of up to `size` bytes.
void ReadOn(int fd, size_t size, bool ended, std::string& all) {
  while (true) {
    const auto piece = ReadLog(fd, static_cast<int64_t>(all.size()), size, ended);
    Require(piece.ok(), "a log can be read");
    Require(piece->data.size() <= std::max(size, kLongestCharacter), "pieces are no longer");
    Require(piece->at_end || !piece->data.empty(), "each piece gets on");
    all += piece->data;
    Require(piece->new_offset == static_cast<int64_t>(all.size()), "the offset follows");
    Require(IsUtf8(piece->data), "pieces are text");
    if (piece->at_end) return;
  }
}

void Check(absl::string_view input) {
  if (input.size() < 2) return;
  const size_t size = 1 + static_cast<uint8_t>(input[0]);
  const absl::string_view text = input.substr(2);
  const size_t first = text.empty() ? 0 : static_cast<uint8_t>(input[1]) % (text.size() + 1);
  const bool is_text = IsUtf8(text);
  const UniqueFd fd(memfd_create("log", MFD_CLOEXEC));
  Require(fd.valid(), "memory for a log");
  std::string all;
  const auto add = [&](absl::string_view part) {
    Require(write(fd.get(), part.data(), part.size()) == static_cast<ssize_t>(part.size()),
            "a log can be written");
  };
  add(text.substr(0, first));
  ReadOn(fd.get(), size, false, all);
  Require(first - all.size() < kLongestCharacter, "no more is waited for than a character");
  add(text.substr(first));
  ReadOn(fd.get(), size, false, all);
  Require(!is_text || all == text, "text is read to its end");
  ReadOn(fd.get(), size, true, all);
  Require(all.size() == text.size(), "nothing is lost");
  for (size_t i = 0; i < text.size(); ++i) {
    Require(all[i] == text[i] || all[i] == '?', "only bytes that are no text are replaced");
  }
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
