#include "worker/stop_deadline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "worker/end_alarm.h"

namespace sparkles {
namespace {

TEST(StopDeadlineTest, HurriesAndThenEndsInThatOrder) {
  CancelToken stop;
  CancelToken ended;
  bool hurried_at_end = false;
  const StopDeadline deadline(stop, {absl::Milliseconds(5), absl::Milliseconds(10)}, [&] {
    hurried_at_end = stop.hurried();
    ended.Cancel(CancelKind::kAbort, "");
  });
  EXPECT_FALSE(ended.cancelled());
  stop.Cancel(CancelKind::kHandBack, "SIGTERM");
  const CancelToken never;
  EXPECT_TRUE(AwaitCancel(ended, never));
  EXPECT_TRUE(hurried_at_end);
}

TEST(StopDeadlineTest, NothingHappensWithoutARequest) {
  CancelToken stop;
  bool ended = false;
  {
    const StopDeadline deadline(stop, {}, [&] { ended = true; });
  }
  EXPECT_FALSE(ended);
}

TEST(StopDeadlineTest, WhoEndsInTimeIsNotEnded) {
  CancelToken stop;
  bool ended = false;
  {
    const StopDeadline deadline(stop, {}, [&] { ended = true; });
    stop.Cancel(CancelKind::kHandBack, "SIGTERM");
  }
  EXPECT_FALSE(ended);
  EXPECT_FALSE(stop.hurried());
}

TEST(StopDeadlineTest, TheStepsEndWithinTwentySeconds) {
  EXPECT_LT(StopSteps().hurry, StopSteps().end);
  EXPECT_LT(StopSteps().end, absl::Seconds(20));
}

TEST(EndAlarmTest, TheProcessEndsInTimeWithItsExitCode) {
  EXPECT_EXIT(
      {
        EndByAlarm(absl::Minutes(1), 9);
        EndByAlarm(absl::Milliseconds(2), 7);
        while (true) pause();
      },
      testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace sparkles
