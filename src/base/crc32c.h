// Computes CRC-32C (Castagnoli, RFC 3720), the checksum that Cloud Storage keeps for every object.
// The checksum is linear, so pieces are computed side by side and then combined. This makes it
// faster than memory.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace sparkles {

// The checksum of a+b from the checksum of a; 0 is the checksum of nothing. Uses instructions of
// the processor (x86-64 with SSE4.2, ARMv8 with CRC) if it has them.
uint32_t ExtendCrc32c(uint32_t crc, absl::string_view data);

inline uint32_t Crc32c(absl::string_view data) { return ExtendCrc32c(0, data); }

// The checksum of a+b from the checksums of a and b and the length of b in bytes.
uint32_t CombineCrc32c(uint32_t crc_a, uint32_t crc_b, uint64_t length_b);

// ExtendCrc32c without special instructions. Public, so that tests run it on every machine.
uint32_t ExtendCrc32cPortably(uint32_t crc, absl::string_view data);

}  // namespace sparkles
