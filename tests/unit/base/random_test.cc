#include "base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace sparkles {
namespace {

TEST(RandomSeed, IsAnotherEachTime) {
  std::set<uint32_t> seeds;
  for (int i = 0; i < 8; ++i) seeds.insert(RandomSeed());
  EXPECT_GT(seeds.size(), 6u);  // two of eight may be the same by chance, once in 10^8 runs
}

TEST(RandomSeed, ComesFromTheTestsSourceUntilThatIsTakenAway) {
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
