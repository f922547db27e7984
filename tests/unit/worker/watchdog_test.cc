#include "worker/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/keep_alive_clock.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "tests/support/fake_clock.h"

namespace sparkles {
namespace {

using Finding = StallDetector::Finding;
using ::testing::ElementsAre;

constexpr absl::Duration kPeriod = absl::Minutes(5);

std::vector<Finding> LookTimes(StallDetector& detector, uint64_t beats, int times) {
  std::vector<Finding> findings;
  for (int i = 0; i < times; ++i) findings.push_back(detector.Observe(beats));
  return findings;
}

TEST(StallDetectorTest, StallGivesOneReportAndEnd) {
  StallDetector detector(kPeriod, kPeriod / 2);
  EXPECT_THAT(
      LookTimes(detector, 7, 7),
      ElementsAre(Finding::kAlive, Finding::kAlive, Finding::kStallBegins, Finding::kStalled,
                  Finding::kStuck, Finding::kStalled, Finding::kStalled));
}

// D59
TEST(StallDetectorTest, HeartbeatClearsStall) {
  StallDetector detector(kPeriod, kPeriod / 2);
  LookTimes(detector, 1, 4);  // one look before it is hopeless
  EXPECT_EQ(detector.Observe(2), Finding::kStallEnds);
  EXPECT_THAT(LookTimes(detector, 2, 2), ElementsAre(Finding::kAlive, Finding::kStallBegins));
  EXPECT_EQ(detector.Observe(3), Finding::kStallEnds);
  for (uint64_t beats = 4; beats < 100; ++beats)
    EXPECT_EQ(detector.Observe(beats), Finding::kAlive);
}

// Runs a watchdog on `clock_` for a number of sleeps, each of which calls `on_sleep`.
class WatchdogTest : public testing::Test {
 protected:
  void WatchUntil(size_t sleeps, std::function<void(size_t)> on_sleep) {
    clock_.OnSleep([&](size_t count) {
      on_sleep(count);
      if (count < sleeps) return;
      MutexLock lock(mutex_);
      over_ = true;
      changed_.NotifyAll();
      // Stops the clock here, so that the test sees a fixed time.
      while (!may_go_on_) changed_.Wait(mutex_);
    });
    const Watchdog watchdog(kPeriod, clock_, metrics_, Actions());
    MutexLock lock(mutex_);
    while (!over_) changed_.Wait(mutex_);
    may_go_on_ = true;
    changed_.NotifyAll();
  }

  WatchdogActions Actions() {
    return {.on_stall = [this] { told_.push_back("begin"); },
            .on_recovery =
                [this](absl::Duration lasted) {
                  told_.push_back("recover after " + absl::FormatDuration(lasted));
                },
            .on_stuck = [this] { told_.push_back("give up"); }};
  }

  FakeClock clock_;
  WorkerMetrics metrics_;
  std::vector<std::string> told_;  // written by the watchdog's thread; read after its end
  Mutex mutex_;
  CondVar changed_;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  bool may_go_on_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST_F(WatchdogTest, StuckWorkerIsReportedOnce) {
  WatchUntil(60, [](size_t) {});
  EXPECT_THAT(told_, ElementsAre("begin", "give up"));
  EXPECT_EQ(metrics_.watchdog_stalls.value(), 1);
  EXPECT_TRUE(metrics_.stalled);
}

TEST_F(WatchdogTest, ProgressPreventsStall) {
  WatchUntil(200, [&](size_t count) {
    if (count % 10 == 0) std::thread([this] { metrics_.heartbeat.Beat(); }).join();
  });
  EXPECT_THAT(told_, ElementsAre());
  EXPECT_FALSE(metrics_.stalled);
}

TEST_F(WatchdogTest, StallEndReportsDuration) {
  WatchUntil(40, [&](size_t count) {
    if (count >= 20) std::thread([this] { metrics_.heartbeat.Beat(); }).join();
  });
  // 16 looks after the first one, and noticed at the 20th.
  EXPECT_THAT(told_, ElementsAre("begin", "recover after 5m56.25s"));
  EXPECT_FALSE(metrics_.stalled);
}

TEST(HeartbeatTest, HousekeepingThreadsDoNotBeat) {
  WorkerMetrics metrics;
  StartHousekeeping("house", [&] {
    metrics.heartbeat.Beat();
    StartThread("its-helper", [&] { metrics.heartbeat.Beat(); })->join();
  }).join();
  EXPECT_EQ(metrics.heartbeat.beats(), 0);
  StartThread("transfer", [&] { metrics.heartbeat.Beat(); })->join();
  EXPECT_EQ(metrics.heartbeat.beats(), 1);
}

TEST(KeepAliveClockTest, LongSleepBeatsRegularly) {
  FakeClock clock;
  WorkerMetrics metrics;
  CancelToken cancel;
  KeepAliveClock beating(clock, metrics.heartbeat, absl::Minutes(1));
  const absl::Time start = clock.Now();
  EXPECT_TRUE(beating.Sleep(absl::Minutes(10), cancel));
  EXPECT_EQ(clock.Now() - start, absl::Minutes(10));
  EXPECT_EQ(metrics.heartbeat.beats(), 10);
  EXPECT_TRUE(beating.Sleep(absl::ZeroDuration(), cancel));
  EXPECT_EQ(metrics.heartbeat.beats(), 11);
  cancel.Cancel(CancelKind::kAbort, "");
  EXPECT_FALSE(beating.Sleep(absl::Minutes(10), cancel));
  EXPECT_EQ(metrics.heartbeat.beats(), 12);
}

}  // namespace
}  // namespace sparkles
