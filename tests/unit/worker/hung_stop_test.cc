#include "worker/hung_stop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <string>

#include "absl/time/clock.h"
#include "base/log.h"
#include "process/thread_stacks.h"
#include "tests/support/fake_clock.h"
#include "tests/support/mem_queue.h"

namespace sparkles {
namespace {

constexpr absl::Duration kLimit = absl::Seconds(20);

Task TaskNamed(const std::string& id) {
  Task task;
  task.id = id;
  return task;
}

// Does not answer hand-backs as long as `hangs` is true.
class HungQueue : public MemQueue {
 public:
  using MemQueue::MemQueue;
  absl::Status HandBack(const Claim& claim, const std::string& reason) override {
    while (hangs) absl::SleepFor(absl::Milliseconds(1));
    return MemQueue::HandBack(claim, reason);
  }

  std::atomic<bool> hangs = false;
};

class HungStopTest : public testing::Test {
 protected:
  HungStopTest() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    claim_ = *queue_.ClaimOne(CancelToken()).value();
  }
  void End(absl::Duration limit) {
    PrepareThreadStacks();
    EndHungStop(hand_back_, claim_, "SIGTERM; the worker hung", limit, sink_, 143);
  }

  FakeClock clock_;
  MemTasks tasks_{{TaskNamed("a.1")}, clock_};
  HungQueue queue_{tasks_, "us"};
  TimedHandBack hand_back_{queue_};
  Claim claim_;
  LogSink sink_{clock_, STDERR_FILENO, LogFormat::kText, Severity::kInfo};
};

TEST_F(HungStopTest, HungStopHandsBackAndExits) {
  EXPECT_EXIT(End(kLimit), testing::ExitedWithCode(143),
              "a.1 is handed back: SIGTERM; the worker hung(.|\n)*'main': stack");
}

TEST_F(HungStopTest, RefusedHandBackIsRetried) {
  queue_.hand_back_errors = {absl::UnavailableError("away"), absl::UnavailableError("away")};
  EXPECT_EXIT(End(kLimit), testing::ExitedWithCode(143), "a.1 is handed back");
}

TEST_F(HungStopTest, ProcessExitsAtLimit) {
  queue_.hangs = true;
  EXPECT_EXIT(End(absl::Milliseconds(300)), testing::ExitedWithCode(143), "there is no more time");
}

TEST_F(HungStopTest, LostClaimKeepsProcessAlive) {
  tasks_.Reset("a.1");
  End(kLimit);
  EXPECT_EQ(tasks_.Find("a.1").status, TaskStatus::kPending);
}

TEST_F(HungStopTest, SecondConcurrentHandBackIsRefused) {
  queue_.hangs = true;
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(hand_back_.HandBack(claim_, "stuck", absl::Milliseconds(1))));
  EXPECT_TRUE(absl::IsUnavailable(hand_back_.HandBack(claim_, "SIGTERM", kLimit)));
  queue_.hangs = false;
  // The first thread uses this object of the test until another hand-back may begin.
  while (absl::IsUnavailable(hand_back_.HandBack(claim_, "SIGTERM", kLimit))) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(tasks_.Find("a.1").status, TaskStatus::kPending);
}

}  // namespace
}  // namespace sparkles
