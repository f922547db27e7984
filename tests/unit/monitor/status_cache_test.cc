#include "monitor/status_cache.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace sparkles {
namespace {

class StatusCacheTest : public testing::Test {
 protected:
  // Returns the number of readings until the answer was read.
  int Ask() { return cache_.Current().process_count; }

  FakeClock clock_;
  absl::Duration cost_ = absl::Milliseconds(1);
  int readings_ = 0;
  StatusCache cache_{clock_, [this] {
                       clock_.Advance(cost_);
                       ProcessStatus status;
                       status.process_count = ++readings_;
                       return status;
                     }};
};

TEST_F(StatusCacheTest, AnswerIsCachedFor250Milliseconds) {
  EXPECT_EQ(Ask(), 1);
  clock_.Advance(absl::Milliseconds(249));
  EXPECT_EQ(Ask(), 1);
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(Ask(), 2);
}

TEST_F(StatusCacheTest, SlowReadingIsCachedLonger) {
  cost_ = absl::Milliseconds(100);
  EXPECT_EQ(Ask(), 1);
  clock_.Advance(absl::Milliseconds(1999));
  EXPECT_EQ(Ask(), 1);
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(Ask(), 2);
}

TEST_F(StatusCacheTest, ClockSetBackInvalidatesCache) {
  EXPECT_EQ(Ask(), 1);
  clock_.Advance(-absl::Hours(1));
  EXPECT_EQ(Ask(), 2);
}

}  // namespace
}  // namespace sparkles
