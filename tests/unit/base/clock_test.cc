#include "base/clock.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "absl/time/clock.h"
#include "tests/support/few_descriptors.h"

namespace sparkles {
namespace {

TEST(SystemClockTest, TellsTheTimeOfTheWall) {
  SystemClock clock;
  const absl::Time before = absl::Now();
  const absl::Time now = clock.Now();
  EXPECT_LE(before, now);
  EXPECT_LE(now, absl::Now());
}

TEST(SystemClockTest, WaitsTheWholeTime) {
  SystemClock clock;
  const CancelToken never;
  const absl::Time start = clock.Now();
  EXPECT_TRUE(clock.Sleep(absl::Milliseconds(2), never));
  EXPECT_GE(clock.Now() - start, absl::Milliseconds(2));
}

TEST(SystemClockTest, NoTimeIsOverAtOnce) {
  SystemClock clock;
  const CancelToken never;
  EXPECT_TRUE(clock.Sleep(absl::ZeroDuration(), never));
  EXPECT_TRUE(clock.Sleep(-absl::Hours(1), never));
}

TEST(SystemClockTest, DoesNotSleepOnceCancelled) {
  SystemClock clock;
  CancelToken cancel;
  cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_FALSE(clock.Sleep(absl::Hours(1), cancel));
  EXPECT_FALSE(clock.Sleep(absl::ZeroDuration(), cancel));
}

// The thread may cancel before or during the sleep: both must end it.
TEST(SystemClockTest, CancellingWakesTheSleeper) {
  SystemClock clock;
  CancelToken cancel;
  std::thread canceller([&cancel] { cancel.Cancel(CancelKind::kHandBack, "SIGTERM"); });
  EXPECT_FALSE(clock.Sleep(absl::Hours(1), cancel));
  canceller.join();
}

TEST(SystemClockTest, CancellingWakesTheSleeperEvenWithoutADescriptor) {
  SystemClock clock;
  std::optional<CancelToken> cancel;
  {
    // No longer than this: UBSan itself opens a pipe to look at an object's type.
    const FewDescriptors none(0);
    cancel.emplace();
  }
  std::thread canceller([&cancel] { cancel->Cancel(CancelKind::kHandBack, "SIGTERM"); });
  EXPECT_FALSE(clock.Sleep(absl::Hours(1), *cancel));
  canceller.join();
}

}  // namespace
}  // namespace sparkles
