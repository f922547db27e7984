#include "worker/stop_deadline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop_time.h"
#include "worker/exit_timer.h"

namespace sparkles {
namespace {

TEST(StopDeadlineTest, StepsRunInOrder) {
  CancelToken stop;
  CancelToken ended;
  bool hurried_at_end = false;
  const StopDeadline deadline(stop, [&] {
    return std::vector<StopStep>{{absl::Milliseconds(5), [&] { stop.Hurry(); }},
                                 {absl::Milliseconds(10), [&] {
                                    hurried_at_end = stop.hurried();
                                    ended.Cancel(CancelKind::kAbort, "");
                                  }}};
  });
  EXPECT_FALSE(ended.cancelled());
  stop.Cancel(CancelKind::kHandBack, "SIGTERM");
  const CancelToken never;
  EXPECT_TRUE(AwaitCancel(ended, never));
  EXPECT_TRUE(hurried_at_end);
}

// The first sleep returns late; later sleeps return at once.
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

TEST(StopDeadlineTest, LateStepDoesNotDelayNext) {
  std::vector<absl::Duration> asked;
  CancelToken stop;
  CancelToken ended;
  constexpr absl::Duration kHurry = absl::Milliseconds(1);
  constexpr absl::Duration kEnd = absl::Seconds(10);
  const StopDeadline deadline(
      stop,
      [&] {
        return std::vector<StopStep>{{kHurry, [] {}},
                                     {kEnd, [&] { ended.Cancel(CancelKind::kAbort, ""); }}};
      },
      std::make_unique<LateClock>(asked));
  stop.Cancel(CancelKind::kHandBack, "SIGTERM");
  const CancelToken never;
  ASSERT_TRUE(AwaitCancel(ended, never));
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_LE(asked[0], kHurry);
  EXPECT_LE(asked[1], kEnd - LateClock::kLate);
}

std::function<std::vector<StopStep>()> OneStep(absl::Duration after, bool& ran) {
  return [after, &ran] { return std::vector<StopStep>{{after, [&ran] { ran = true; }}}; };
}

TEST(StopDeadlineTest, StepsWaitForStop) {
  CancelToken stop;
  bool ended = false;
  {
    const StopDeadline deadline(stop, OneStep(absl::ZeroDuration(), ended));
  }
  EXPECT_FALSE(ended);
}

TEST(StopDeadlineTest, EndInTimeSkipsSteps) {
  CancelToken stop;
  bool ended = false;
  {
    const StopDeadline deadline(stop, OneStep(absl::Minutes(10), ended));
    stop.Cancel(CancelKind::kHandBack, "SIGTERM");
  }
  EXPECT_FALSE(ended);
}

TEST(StopTimeTest, StopPhasesFitLimit) {
  for (const int seconds : {5, 20, 120}) {
    const StopTime time = {absl::Seconds(seconds)};
    // A command ends after KILL and its log is uploaded, or it does not end and the sweep follows.
    EXPECT_LT(time.hurry() + time.log_limit(), time.hand_back());
    EXPECT_LT(time.hurry() + time.kill_limit() + time.sweep_limit(), time.hand_back());
    EXPECT_LT(time.hand_back(), time.end());
    EXPECT_LT(time.record_limit(), time.end());
    EXPECT_LT(time.end(), time.within);
  }
  EXPECT_EQ(StopTime().within, absl::Seconds(20));
}

// A clock whose Now() never returns, so that each log line hangs.
class HungClock : public Clock {
 public:
  absl::Time Now() override {
    while (true) pause();
  }
  bool Sleep(absl::Duration, const CancelToken&) override { return true; }
};

TEST(StopDeadlineTest, HungLogDoesNotDelayExit) {
  EXPECT_EXIT(
      {
        HungClock clock;
        LogSink sink(clock, STDERR_FILENO, LogFormat::kText, Severity::kInfo);
        EndUnfinished(sink, 143);
      },
      testing::ExitedWithCode(143), "");
}

TEST(StopDeadlineTest, ExitIsLogged) {
  EXPECT_EXIT(
      {
        SystemClock clock;
        LogSink sink(clock, STDERR_FILENO, LogFormat::kText, Severity::kInfo);
        EndUnfinished(sink, 143);
      },
      testing::ExitedWithCode(143), "there is no more time");
}

TEST(ExitTimerTest, ProcessExitsInTimeWithCode) {
  EXPECT_EXIT(
      {
        StartExitTimer(absl::Minutes(1), 9);
        StartExitTimer(absl::Milliseconds(2), 7);
        while (true) pause();
      },
      testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace sparkles
