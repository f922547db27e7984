#include "base/backoff.h"

#include <gtest/gtest.h>

namespace sparkles {
namespace {

TEST(BackoffTest, WaitsDoubleUpToTheLongest) {
  Backoff backoff(absl::Seconds(2), absl::Seconds(7), 1);
  EXPECT_EQ(backoff.Next(), absl::Seconds(2));
  EXPECT_EQ(backoff.Next(), absl::Seconds(4));
  EXPECT_EQ(backoff.Next(), absl::Seconds(7));
  EXPECT_EQ(backoff.Next(), absl::Seconds(7));
  backoff.Reset();
  EXPECT_EQ(backoff.Next(), absl::Seconds(2));
}

TEST(BackoffTest, RandomPartsStayWithinTheirBounds) {
  Backoff backoff(absl::Seconds(8), absl::Seconds(8), 0.5);
  absl::Duration least = absl::InfiniteDuration();
  absl::Duration most;
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration wait = backoff.Next();
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  EXPECT_GE(least, absl::Seconds(4));
  EXPECT_LT(least, absl::Seconds(5));
  EXPECT_LE(most, absl::Seconds(8));
  EXPECT_GT(most, absl::Seconds(7));
}

}  // namespace
}  // namespace sparkles
