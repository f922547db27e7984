#include "gcp/random_id.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"

namespace sparkles {
namespace {

// The random bytes of one thread, for 16 identifiers: each request needs one, and a system call for
// each is slow.
struct Supply {
  std::array<uint8_t, 256> bytes;  // the kernel gives up to 256 bytes in one call
  size_t left = 0;                 // unused bytes, at the end of `bytes`
};

}  // namespace

std::string RandomUuid() {
  thread_local Supply supply;
  std::array<uint8_t, 16> bytes;
  if (supply.left < bytes.size()) {
    FillRandom(supply.bytes.data(), supply.bytes.size());
    supply.left = supply.bytes.size();
  }
  std::memcpy(bytes.data(), supply.bytes.end() - supply.left, bytes.size());
  supply.left -= bytes.size();
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);
  const std::string hex =
      absl::BytesToHexString({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

}  // namespace sparkles
