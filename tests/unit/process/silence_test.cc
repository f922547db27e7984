#include "process/silence.h"

#include <gtest/gtest.h>

#include <optional>

namespace sparkles {
namespace {

class SilenceTest : public testing::Test {
 protected:
  // Looks once per second, `count` times, and sees `state`. Returns the result of the last look.
  bool Look(int count, std::optional<uint64_t> state) {
    bool silent = false;
    for (int i = 0; i < count; ++i) {
      now_ += absl::Seconds(1);
      silent = silence_.Note(now_, state);
    }
    return silent;
  }

  Silence silence_{absl::Seconds(10)};
  absl::Duration now_ = absl::Hours(5);
};

TEST_F(SilenceTest, UnchangedStateIsSilentAfterTimeout) {
  EXPECT_FALSE(Look(1, 7));
  EXPECT_FALSE(Look(9, 7));
  EXPECT_TRUE(Look(1, 7));
}

TEST_F(SilenceTest, ChangeStartsSilenceAgain) {
  EXPECT_FALSE(Look(10, 7));
  EXPECT_FALSE(Look(10, 8));
  EXPECT_TRUE(Look(1, 8));
}

TEST_F(SilenceTest, UnknownStateCountsAsChange) {
  EXPECT_FALSE(Look(100, std::nullopt));
  Look(10, 7);
  EXPECT_FALSE(Look(1, std::nullopt));
  EXPECT_FALSE(Look(10, 7));
  EXPECT_TRUE(Look(1, 7));
}

TEST_F(SilenceTest, SuspendedMachineStartsSilenceAgain) {
  Look(10, 7);
  now_ += absl::Hours(8);
  EXPECT_FALSE(Look(1, 7));
  EXPECT_FALSE(Look(9, 7));
  EXPECT_TRUE(Look(1, 7));
}

TEST_F(SilenceTest, LateLookCountsAsOneInterval) {
  Look(1, 7);
  for (int i = 0; i < 9; ++i) {
    now_ += absl::Seconds(1.5);
    EXPECT_FALSE(Look(1, 7));
  }
  EXPECT_TRUE(Look(1, 7));
}

TEST_F(SilenceTest, LastLookIsAnnounced) {
  Look(10, 7);
  EXPECT_TRUE(silence_.IsAlmostComplete());
  Look(1, 8);
  EXPECT_FALSE(silence_.IsAlmostComplete());
}

TEST(SilenceIntervalTest, IntervalIsTenthOfShortTimeout) {
  EXPECT_EQ(Silence(absl::Seconds(5)).interval(), absl::Seconds(0.5));
  EXPECT_EQ(Silence(absl::Hours(5)).interval(), absl::Seconds(10));
}

}  // namespace
}  // namespace sparkles
