#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

namespace sparkles {
namespace {

TEST(FillRandom, ExactlyGivenBytesAreFilled) {
  // A byte may be zero by chance, but not in ten rounds.
  std::array<char, 1001> seen{};
  for (int round = 0; round < 10; ++round) {
    std::array<char, 1001> bytes{};
    FillRandom(bytes.data(), bytes.size() - 1);
    std::transform(bytes.begin(), bytes.end(), seen.begin(), seen.begin(),
                   [](char a, char b) { return static_cast<char>(a | b); });
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end() - 1, '\0'), 0);
  EXPECT_EQ(seen.back(), '\0');
}

TEST(RandomSeed, SeedsDiffer) {
  std::set<uint32_t> seeds;
  for (int i = 0; i < 8; ++i) seeds.insert(RandomSeed());
  EXPECT_GT(seeds.size(), 6u);  // two of the eight may be equal by chance
}

TEST(RandomSeed, TestSourceReplacesRandomSeeds) {
  SetSeedSource([] { return 7u; });
  EXPECT_EQ(RandomSeed(), 7u);
  EXPECT_EQ(RandomSeed(), 7u);
  SetSeedSource(nullptr);
  std::set<uint32_t> seeds;
  for (int i = 0; i < 8; ++i) seeds.insert(RandomSeed());
  EXPECT_GT(seeds.size(), 6u);
}

}  // namespace
}  // namespace sparkles
