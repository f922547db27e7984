// CRC-32C (Castagnoli, RFC 3720), the checksum that Cloud Storage keeps for every object.
// The one hard idea: it is linear, so pieces are checksummed side by side and then combined; that
// is what makes it faster than memory.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace sparkles {

// The checksum of a+b from that of a; 0 is the checksum of nothing. Uses the instructions of the
// processor (x86-64 with SSE4.2, ARMv8 with CRC) where it has them.
uint32_t ExtendCrc32c(uint32_t crc, absl::string_view data);

inline uint32_t Crc32c(absl::string_view data) { return ExtendCrc32c(0, data); }

// The checksum of a+b from those of a and b and the length of b in bytes.
uint32_t CombineCrc32c(uint32_t crc_a, uint32_t crc_b, uint64_t length_b);

// ExtendCrc32c without the processor's help; public so that tests reach it on any machine.
uint32_t ExtendCrc32cPortably(uint32_t crc, absl::string_view data);

}  // namespace sparkles
