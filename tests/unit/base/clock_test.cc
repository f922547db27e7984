#include "base/clock.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "absl/time/clock.h"
#include "tests/support/few_descriptors.h"

namespace sparkles {
namespace {

TEST(SystemClockTest, NowReturnsWallClockTime) {
  SystemClock clock;
  const absl::Time before = absl::Now();
  const absl::Time now = clock.Now();
  EXPECT_LE(before, now);
  EXPECT_LE(now, absl::Now());
}

TEST(SystemClockTest, SleepLastsFullDuration) {
  SystemClock clock;
  const CancelToken never;
  const absl::Time start = clock.Now();
  EXPECT_TRUE(clock.Sleep(absl::Milliseconds(2), never));
  EXPECT_GE(clock.Now() - start, absl::Milliseconds(2));
}

TEST(SystemClockTest, ZeroOrNegativeSleepIsImmediate) {
  SystemClock clock;
  const CancelToken never;
  EXPECT_TRUE(clock.Sleep(absl::ZeroDuration(), never));
  EXPECT_TRUE(clock.Sleep(-absl::Hours(1), never));
}

TEST(SystemClockTest, SleepFailsWhenAlreadyCancelled) {
  SystemClock clock;
  CancelToken cancel;
  cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_FALSE(clock.Sleep(absl::Hours(1), cancel));
  EXPECT_FALSE(clock.Sleep(absl::ZeroDuration(), cancel));
}

// The thread may cancel before or during the sleep. Both must end the sleep.
TEST(SystemClockTest, CancelEndsSleep) {
  SystemClock clock;
  CancelToken cancel;
  std::thread canceller([&cancel] { cancel.Cancel(CancelKind::kHandBack, "SIGTERM"); });
  EXPECT_FALSE(clock.Sleep(absl::Hours(1), cancel));
  canceller.join();
}

TEST(SystemClockTest, CancelEndsSleepWithoutDescriptor) {
  SystemClock clock;
  std::optional<CancelToken> cancel;
  {
    // A short scope, because UBSan itself opens a pipe when it checks the type of an object.
    const FewDescriptors none(0);
    cancel.emplace();
  }
  std::thread canceller([&cancel] { cancel->Cancel(CancelKind::kHandBack, "SIGTERM"); });
  EXPECT_FALSE(clock.Sleep(absl::Hours(1), *cancel));
  canceller.join();
}

}  // namespace
}  // namespace sparkles
