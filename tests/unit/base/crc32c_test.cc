#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>

namespace sparkles {
namespace {

// The definition of CRC32C, computed bit by bit.
uint32_t Reference(absl::string_view data) {
  uint32_t crc = 0xFFFFFFFF;
  for (const char c : data) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
  }
  return ~crc;
}

std::string Noise(size_t size) {
  std::mt19937 random(7);
  std::string data(size, '\0');
  std::generate(data.begin(), data.end(), [&] { return static_cast<char>(random()); });
  return data;
}

TEST(Crc32c, MatchesPublishedValues) {
  std::string ascending(32, '\0');
  std::iota(ascending.begin(), ascending.end(), '\0');
  EXPECT_EQ(Crc32c(""), 0U);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAU);  // RFC 3720, B.4
  EXPECT_EQ(Crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  EXPECT_EQ(Crc32c(ascending), 0x46DD794EU);
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283U);
}

TEST(Crc32c, MatchesReferenceAtEveryAlignment) {
  const std::string noise = Noise(400);
  for (size_t offset = 0; offset < 16; ++offset) {
    for (size_t length = 0; offset + length <= noise.size(); ++length) {
      const absl::string_view piece = absl::string_view(noise).substr(offset, length);
      ASSERT_EQ(Crc32c(piece), Reference(piece)) << offset << "+" << length;
      ASSERT_EQ(ExtendCrc32cPortably(0, piece), Reference(piece)) << offset << "+" << length;
    }
  }
}

TEST(Crc32c, MatchesReferenceAtLaneBoundaries) {
  const std::string noise = Noise(20'000);
  for (const size_t around : {2048U, 6144U, 12288U, 18432U}) {
    for (size_t length = around - 9; length <= around + 9; ++length) {
      const absl::string_view piece = absl::string_view(noise).substr(3, length);
      ASSERT_EQ(Crc32c(piece), Reference(piece)) << length;
      ASSERT_EQ(ExtendCrc32cPortably(0, piece), Reference(piece)) << length;
    }
  }
}

TEST(Crc32c, ExtendAndCombineMatchWhole) {
  const std::string noise = Noise(30'000);
  const absl::string_view whole = noise;
  const uint32_t expected = Reference(whole);
  for (size_t cut = 0; cut <= whole.size(); cut += 613) {
    const uint32_t first = Crc32c(whole.substr(0, cut));
    ASSERT_EQ(ExtendCrc32c(first, whole.substr(cut)), expected) << cut;
    const uint32_t second = Crc32c(whole.substr(cut));
    ASSERT_EQ(CombineCrc32c(first, second, whole.size() - cut), expected) << cut;
  }
}

TEST(Crc32c, CombineHandlesTerabyteLengths) {
  // Combining is associative: (a+b)+c = a+(b+c), with b of 5 TiB and c of 3 bytes.
  constexpr uint64_t kHuge = uint64_t{5} << 40;
  const uint32_t left = CombineCrc32c(CombineCrc32c(0x1234, 0x5678, kHuge), 0x9ABC, 3);
  const uint32_t right = CombineCrc32c(0x1234, CombineCrc32c(0x5678, 0x9ABC, 3), kHuge + 3);
  EXPECT_EQ(left, right);
  EXPECT_EQ(CombineCrc32c(0x1234, 0, 0), 0x1234U);
}

}  // namespace
}  // namespace sparkles
