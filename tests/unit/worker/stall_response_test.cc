#include "worker/stall_response.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "base/file.h"
#include "process/thread_stacks.h"
#include "tests/support/fake_clock.h"
#include "tests/support/mem_queue.h"
#include "tests/support/temp_directory.h"
#include "worker/exit_code.h"

namespace sparkles {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPeriod = absl::Minutes(10);

class StallResponseTest : public testing::Test {
 protected:
  StallResponseTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  std::optional<Claim> claim_ =
      Claim{.task = TaskNamed("a.1"), .attempt = 1, .version = 0, .claimed_at = absl::UnixEpoch()};
  FakeClock clock_;
  MemTasks tasks_{{TaskNamed("a.1")}, clock_};
  MemQueue queue_{tasks_, "us"};
  TimedHandBack hand_back_{queue_};
  LogSink sink_{clock_, STDERR_FILENO, LogFormat::kText, Severity::kInfo};

 private:
  static Task TaskNamed(const std::string& id) {
    Task task;
    task.id = id;
    return task;
  }
};

TEST_F(StallResponseTest, StuckWorkerHandsBackAndExits) {
  claim_ = queue_.ClaimOne(CancelToken()).value();
  const WatchdogActions actions =
      RespondToStalls(kPeriod, [this] { return claim_; }, &hand_back_, sink_);
  EXPECT_EXIT(actions.on_stuck(), testing::ExitedWithCode(kExitStuck),
              "a.1 is handed back(.|\n)*no sign of life for 20m; the worker exits now");
}

TEST_F(StallResponseTest, FailedHandBackStillExits) {
  queue_.hand_back_errors = {absl::UnavailableError("the queue is away")};
  const WatchdogActions actions =
      RespondToStalls(kPeriod, [this] { return claim_; }, &hand_back_, sink_);
  EXPECT_EXIT(actions.on_stuck(), testing::ExitedWithCode(kExitStuck),
              "a.1 cannot be handed back: the queue is away");
}

TEST_F(StallResponseTest, MissingClaimOrQueueStillExits) {
  claim_.reset();
  EXPECT_EXIT(RespondToStalls(
                  kPeriod, [this] { return claim_; }, &hand_back_, sink_)
                  .on_stuck(),
              testing::ExitedWithCode(kExitStuck), "the worker exits now");
  claim_ = Claim();
  EXPECT_EXIT(RespondToStalls(
                  kPeriod, [this] { return claim_; }, nullptr, sink_)
                  .on_stuck(),
              testing::ExitedWithCode(kExitStuck), "the worker exits now");
}

TEST_F(StallResponseTest, StallDumpsStacksAndSetsAlarm) {
  PrepareThreadStacks();
  TempDirectory directory;
  const auto file = OpenFile(directory / "log", O_CREAT | O_RDWR);
  ASSERT_TRUE(file.ok());
  LogSink sink(clock_, file->get(), LogFormat::kText, Severity::kInfo);
  const WatchdogActions actions =
      RespondToStalls(kPeriod, [this] { return claim_; }, nullptr, sink);
  actions.on_stall();
  const std::string text = ReadFile(directory / "log", 1 << 20).value();
  EXPECT_THAT(text, HasSubstr("watchdog: no sign of life for 10m;"));
  EXPECT_THAT(text, HasSubstr("'main': stack"));
  actions.on_recovery(absl::Minutes(11));
  EXPECT_EQ(alarm(0), 0U) << "no alarm is left";
  actions.on_stall();
  EXPECT_GT(alarm(0), 600U);
  EXPECT_THAT(ReadFile(directory / "log", 1 << 20).value(),
              HasSubstr("the worker continues after 11m"));
}

TEST_F(StallResponseTest, UnreadDumpEndsBeforeAlarm) {
  PrepareThreadStacks();
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  while (write(writer.get(), "x", 1) == 1) {
  }
  ASSERT_EQ(fcntl(writer.get(), F_SETFL, 0), 0);  // as stderr mostly is
  CancelToken done;
  std::vector<std::thread> threads;
  for (int i = 0; i < 40; ++i) {
    threads.emplace_back([&done] { SystemClock().Sleep(absl::Minutes(1), done); });
  }
  LogSink sink(clock_, writer.get(), LogFormat::kText, Severity::kInfo);
  const WatchdogActions actions =
      RespondToStalls(kPeriod, [this] { return claim_; }, nullptr, sink);
  const absl::Time began = absl::Now();
  actions.on_stall();
  EXPECT_LT(absl::Now() - began, absl::Seconds(30));  // one second a line would be 82
  EXPECT_GT(alarm(0), 605U) << "the alarm is set after the dump";
  done.Cancel(CancelKind::kAbort, "");
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace sparkles
