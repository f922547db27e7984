#include "worker/claim_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/recorded_log.h"

namespace sparkles {
namespace {

// A queue whose Check returns the prepared answers, and then kHeld until it is cancelled.
class AnsweringQueue : public Queue {
 public:
  explicit AnsweringQueue(std::deque<absl::StatusOr<ClaimState>> answers)
      : answers_(std::move(answers)) {}

  absl::StatusOr<ClaimState> Check(const Claim&, const CancelToken& cancel) override {
    ++checks;
    if (during_check) during_check();
    if (cancel.cancelled()) return absl::CancelledError(cancel.reason());
    if (answers_.empty()) return ClaimState::kHeld;
    const auto answer = answers_.front();
    answers_.pop_front();
    return answer;
  }
  absl::StatusOr<std::optional<Claim>> ClaimOne(const CancelToken&) override {
    return std::nullopt;
  }
  absl::Status Finish(const Claim&, const Outcome&) override { return absl::OkStatus(); }
  absl::Status HandBack(const Claim&, const std::string&) override { return absl::OkStatus(); }
  bool CanReceiveNewTasks() const override { return true; }

  std::atomic<int> checks = 0;
  std::function<void()> during_check;

 private:
  std::deque<absl::StatusOr<ClaimState>> answers_;
};

// Sleeps last until they are cancelled.
class StoppedClock : public Clock {
 public:
  absl::Time Now() override { return now; }
  bool Sleep(absl::Duration, const CancelToken& cancel) override {
    while (!cancel.cancelled()) std::this_thread::yield();
    return false;
  }

  absl::Time now = absl::UnixEpoch();
};

class ClaimWatchTest : public testing::Test {
 protected:
  // Watches until the task is cancelled.
  void WatchUntilCancelled(AnsweringQueue& queue) {
    const ClaimWatch watch(absl::Seconds(15), clock_, queue, claim_, task_, recorded_.log());
    while (!task_.cancelled()) std::this_thread::yield();
  }

  FakeClock clock_;
  RecordedLog recorded_;
  Claim claim_;
  CancelToken task_;
  const CancelToken never_;
};

TEST_F(ClaimWatchTest, ClaimIsCheckedAfterLongPause) {
  AnsweringQueue queue({ClaimState::kHeld, ClaimState::kLost});
  StoppedClock clock;  // keeps the watch's own thread asleep
  ClaimWatch watch(absl::Seconds(15), clock, queue, claim_, task_, recorded_.log());
  EXPECT_EQ(watch.Confirm(Freshness::kRecent, never_).value(), ClaimState::kHeld);
  EXPECT_EQ(queue.checks, 0);  // a short task needs no request
  clock.now += absl::Minutes(1);
  EXPECT_EQ(watch.Confirm(Freshness::kRecent, never_).value(), ClaimState::kHeld);
  EXPECT_EQ(queue.checks, 1);
  clock.now += absl::Minutes(1);
  EXPECT_EQ(watch.Confirm(Freshness::kRecent, never_).value(), ClaimState::kLost);
  EXPECT_EQ(queue.checks, 2);
  EXPECT_FALSE(task_.cancelled()) << "the caller cancels it";
}

TEST_F(ClaimWatchTest, FreshnessNowAlwaysChecksClaim) {
  AnsweringQueue queue(
      {ClaimState::kHeld, absl::UnavailableError("503"), ClaimState::kKilled, ClaimState::kLost});
  StoppedClock clock;
  ClaimWatch watch(absl::Seconds(15), clock, queue, claim_, task_, recorded_.log());
  EXPECT_EQ(watch.Confirm(Freshness::kNow, never_).value(), ClaimState::kHeld);
  EXPECT_TRUE(absl::IsUnavailable(watch.Confirm(Freshness::kNow, never_).status()));
  EXPECT_EQ(watch.Confirm(Freshness::kNow, never_).value(), ClaimState::kKilled);
  EXPECT_EQ(watch.Confirm(Freshness::kNow, never_).value(), ClaimState::kLost);
  EXPECT_FALSE(task_.cancelled());
  EXPECT_EQ(queue.checks, 4);
}

TEST_F(ClaimWatchTest, CancelledTransferEndsClaimCheck) {
  AnsweringQueue queue({});
  StoppedClock clock;
  ClaimWatch watch(absl::Seconds(15), clock, queue, claim_, task_, recorded_.log());
  CancelToken transfer;
  queue.during_check = [&] { transfer.Cancel(CancelKind::kHandBack, "SIGTERM"); };
  EXPECT_TRUE(absl::IsCancelled(watch.Confirm(Freshness::kNow, transfer).status()));
  clock.now += absl::Minutes(1);
  EXPECT_TRUE(absl::IsCancelled(watch.Confirm(Freshness::kRecent, transfer).status()));
  EXPECT_EQ(queue.checks, 2);
  EXPECT_FALSE(task_.cancelled());
}

TEST_F(ClaimWatchTest, ConcurrentCallersShareChecks) {
  AnsweringQueue queue({});
  StoppedClock clock;
  ClaimWatch watch(absl::Seconds(15), clock, queue, claim_, task_, recorded_.log());
  std::atomic<int> arrived = 0;
  queue.during_check = [&] {
    while (arrived < 8) std::this_thread::yield();
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      ++arrived;
      EXPECT_TRUE(watch.Confirm(Freshness::kNow, never_).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  // Callers that arrive during the first check need a newer answer, and share the second check.
  EXPECT_LT(queue.checks, 8);
}

TEST_F(ClaimWatchTest, KilledJobCancelsTask) {
  AnsweringQueue queue({ClaimState::kHeld, ClaimState::kKilled});
  WatchUntilCancelled(queue);
  EXPECT_EQ(task_.kind(), CancelKind::kKilled);
  EXPECT_EQ(queue.checks, 2);
}

TEST_F(ClaimWatchTest, LostClaimCancelsTask) {
  AnsweringQueue queue({ClaimState::kLost});
  WatchUntilCancelled(queue);
  EXPECT_EQ(task_.kind(), CancelKind::kClaimLost);
}

TEST_F(ClaimWatchTest, FailedCheckIsRetriedSoon) {  // D18
  AnsweringQueue queue(
      {absl::UnavailableError("503"), absl::InternalError("500"), ClaimState::kKilled});
  WatchUntilCancelled(queue);
  EXPECT_EQ(task_.kind(), CancelKind::kKilled);
  EXPECT_EQ(queue.checks, 3);
  ASSERT_EQ(clock_.sleeps().size(), 3u);
  EXPECT_LE(clock_.sleeps()[1], absl::Seconds(5)) << "the watch must notice a kill within 20 s";
  EXPECT_LE(clock_.sleeps()[2], absl::Seconds(5));
}

TEST_F(ClaimWatchTest, ClaimIsCheckedOncePerPeriod) {
  AnsweringQueue queue({ClaimState::kHeld, ClaimState::kHeld, ClaimState::kLost});
  WatchUntilCancelled(queue);
  ASSERT_EQ(clock_.sleeps().size(), 3u);
  for (const absl::Duration sleep : clock_.sleeps()) {
    EXPECT_GE(sleep, absl::Seconds(11));
    EXPECT_LE(sleep, absl::Seconds(19));
  }
}

TEST_F(ClaimWatchTest, InfinitePeriodNeverChecks) {
  AnsweringQueue queue({ClaimState::kLost});
  {
    const ClaimWatch watch(absl::InfiniteDuration(), clock_, queue, claim_, task_, recorded_.log());
  }
  EXPECT_EQ(queue.checks, 0);
  EXPECT_FALSE(task_.cancelled());
}

TEST_F(ClaimWatchTest, EndedWatchLeavesTaskRunning) {
  AnsweringQueue queue({});
  {
    const ClaimWatch watch(absl::Seconds(15), clock_, queue, claim_, task_, recorded_.log());
    while (queue.checks < 3) std::this_thread::yield();
  }
  EXPECT_FALSE(task_.cancelled());
}

}  // namespace
}  // namespace sparkles
