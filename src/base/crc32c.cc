#include "base/crc32c.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <array>
#include <cstddef>
#include <cstring>

namespace sparkles {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are read as they lie in memory");

// A checksum is a polynomial over GF(2) modulo this one. The lowest bit has the highest power.
constexpr uint32_t kPolynomial = 0x82F63B78;
constexpr uint32_t kOne = uint32_t{1} << 31;      // x^0
constexpr uint32_t kXToThe8 = uint32_t{1} << 23;  // x^8: one more byte

constexpr uint32_t TimesX(uint32_t a) { return (a >> 1) ^ ((a & 1) != 0 ? kPolynomial : 0); }

constexpr uint32_t Multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = TimesX(b);
  }
  return product;
}

// The factor that extends a checksum by `length` zero bytes.
constexpr uint32_t ShiftFactor(uint64_t length) {
  uint32_t factor = kOne;
  for (uint32_t power = kXToThe8; length != 0; length >>= 1) {
    if ((length & 1) != 0) factor = Multiply(factor, power);
    power = Multiply(power, power);
  }
  return factor;
}

using Table = std::array<uint32_t, 256>;

// The image of each byte value under a linear map, from the images of its bits.
constexpr Table LinearTable(const std::array<uint32_t, 8>& bit_images) {
  Table table{};
  for (size_t value = 1; value < table.size(); ++value) {
    size_t low = 0;
    while (((value >> low) & 1) == 0) ++low;
    table[value] = table[value & (value - 1)] ^ bit_images[low];
  }
  return table;
}

// Table k is for a byte that has k more bytes of the word after it.
constexpr std::array<Table, 8> MakeSlicingTables() {
  std::array<Table, 8> tables{};
  for (size_t k = 0; k < tables.size(); ++k) {
    std::array<uint32_t, 8> images{};
    for (size_t bit = 0; bit < 8; ++bit) {
      images[bit] = Multiply(uint32_t{1} << bit, ShiftFactor(k + 1));
    }
    tables[k] = LinearTable(images);
  }
  return tables;
}
constexpr std::array<Table, 8> kSlicing = MakeSlicingTables();

uint64_t LoadWord(const char* from) {
  uint64_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

uint32_t StepByte(uint32_t crc, char byte) {
  return kSlicing[0][(crc ^ static_cast<uint8_t>(byte)) & 0xFF] ^ (crc >> 8);
}

#if defined(__x86_64__) || defined(__aarch64__)

// The instruction takes 3 cycles, but one can start in each cycle, so three lanes run in parallel.
// The lanes are so long that the cost of combining them does not matter.
constexpr size_t kLane = 2048;

// Extends a checksum by kLane zero bytes, one byte of the checksum at a time.
constexpr std::array<Table, 4> MakeLaneTables() {
  constexpr uint32_t kFactor = ShiftFactor(kLane);
  std::array<Table, 4> tables{};
  for (size_t k = 0; k < tables.size(); ++k) {
    std::array<uint32_t, 8> images{};
    for (size_t bit = 0; bit < 8; ++bit) {
      images[bit] = Multiply(uint32_t{1} << (8 * k + bit), kFactor);
    }
    tables[k] = LinearTable(images);
  }
  return tables;
}
constexpr std::array<Table, 4> kLaneShift = MakeLaneTables();

uint32_t ShiftOverLane(uint32_t crc) {
  return kLaneShift[0][crc & 0xFF] ^ kLaneShift[1][(crc >> 8) & 0xFF] ^
         kLaneShift[2][(crc >> 16) & 0xFF] ^ kLaneShift[3][crc >> 24];
}

// Assembly, because intrinsics need a target attribute on every function here.
#if defined(__x86_64__)
bool HasInstruction() { return __builtin_cpu_supports("sse4.2") != 0; }

inline uint64_t StepWord(uint64_t crc, const char* at) {
  asm("crc32q %1, %0" : "+r"(crc) : "r"(LoadWord(at)));
  return crc;
}
#else
bool HasInstruction() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

inline uint64_t StepWord(uint64_t crc, const char* at) {
  asm(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(LoadWord(at)));
  return crc;
}
#endif

uint32_t HardwareExtend(uint32_t crc, absl::string_view data) {
  uint64_t a = ~crc;
  const char* at = data.data();
  size_t left = data.size();
  for (; left >= 3 * kLane; at += 3 * kLane, left -= 3 * kLane) {
    uint64_t b = 0;
    uint64_t c = 0;
    for (size_t i = 0; i < kLane; i += 8) {
      a = StepWord(a, at + i);
      b = StepWord(b, at + kLane + i);
      c = StepWord(c, at + 2 * kLane + i);
    }
    a = ShiftOverLane(static_cast<uint32_t>(a)) ^ b;
    a = ShiftOverLane(static_cast<uint32_t>(a)) ^ c;
  }
  for (; left >= 8; at += 8, left -= 8) a = StepWord(a, at);
  auto rest = static_cast<uint32_t>(a);
  for (; left > 0; ++at, --left) rest = StepByte(rest, *at);
  return ~rest;
}

#else
bool HasInstruction() { return false; }
uint32_t HardwareExtend(uint32_t crc, absl::string_view data) {
  return ExtendCrc32cPortably(crc, data);
}
#endif

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, absl::string_view data) {
  static const bool has_instruction = HasInstruction();
  return has_instruction ? HardwareExtend(crc, data) : ExtendCrc32cPortably(crc, data);
}

uint32_t ExtendCrc32cPortably(uint32_t crc, absl::string_view data) {
  crc = ~crc;
  const char* at = data.data();
  size_t left = data.size();
  for (; left >= 8; at += 8, left -= 8) {
    const uint64_t word = LoadWord(at) ^ crc;
    crc = 0;
#pragma GCC unroll 8
    for (size_t k = 0; k < 8; ++k) crc ^= kSlicing[7 - k][(word >> (8 * k)) & 0xFF];
  }
  for (; left > 0; ++at, --left) crc = StepByte(crc, *at);
  return ~crc;
}

uint32_t CombineCrc32c(uint32_t crc_a, uint32_t crc_b, uint64_t length_b) {
  return Multiply(crc_a, ShiftFactor(length_b)) ^ crc_b;
}

}  // namespace sparkles
