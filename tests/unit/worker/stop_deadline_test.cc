#include "worker/stop_deadline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
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

// Wakes late from what was to be a short sleep, and at once from all others.
class LateClock : public SystemClock {
 public:
  static constexpr absl::Duration kLate = absl::Milliseconds(20);

  explicit LateClock(std::vector<absl::Duration>& asked) : asked_(asked) {}

  bool Sleep(absl::Duration duration, const CancelToken& cancel) override {
    asked_.push_back(duration);
    return asked_.size() > 1 || SystemClock::Sleep(kLate, cancel);
  }

 private:
  std::vector<absl::Duration>& asked_;
};

TEST(StopDeadlineTest, AHurryThatComesLateDelaysNoEnd) {
  std::vector<absl::Duration> asked;
  CancelToken stop;
  CancelToken ended;
  const StopSteps steps = {absl::Milliseconds(1), absl::Seconds(10)};
  const StopDeadline deadline(
      stop, steps, [&] { ended.Cancel(CancelKind::kAbort, ""); },
      std::make_unique<LateClock>(asked));
  stop.Cancel(CancelKind::kHandBack, "SIGTERM");
  const CancelToken never;
  ASSERT_TRUE(AwaitCancel(ended, never));
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_LE(asked[0], steps.hurry);
  EXPECT_LE(asked[1], steps.end - LateClock::kLate);
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

// Whoever asks it for the time of a line of the log, or whatever that stands for, waits for ever.
class HungClock : public Clock {
 public:
  absl::Time Now() override {
    while (true) pause();
  }
  bool Sleep(absl::Duration, const CancelToken&) override { return true; }
};

TEST(StopDeadlineTest, NoLogThatHangsHoldsUpTheEnd) {
  EXPECT_EXIT(
      {
        HungClock clock;
        LogSink sink(clock, STDERR_FILENO, LogFormat::kText, Severity::kInfo);
        EndUnfinished(sink, 143);
      },
      testing::ExitedWithCode(143), "");
}

TEST(StopDeadlineTest, TheEndSaysSo) {
  EXPECT_EXIT(
      {
        SystemClock clock;
        LogSink sink(clock, STDERR_FILENO, LogFormat::kText, Severity::kInfo);
        EndUnfinished(sink, 143);
      },
      testing::ExitedWithCode(143), "there is no more time");
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
