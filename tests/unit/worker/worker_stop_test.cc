#include "worker/worker_stop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <optional>

#include "tests/support/only_thread.h"
#include "tests/support/recorded_log.h"
#include "worker/exit_code.h"
#include "worker/signals.h"

namespace sparkles {
namespace {

// Leaves the signal mask of the test program as it was.
class WorkerStopTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(AwaitOnlyThread());
    ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &old_mask_), 0);
    BlockSignals();
    stop_.emplace(StopTime(), log_.sink());
  }
  void TearDown() override {
    stop_.reset();
    pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  }

  const CancelToken never_;
  RecordedLog log_;
  std::optional<WorkerStop> stop_;

 private:
  sigset_t old_mask_;
};

TEST_F(WorkerStopTest, EachEndHasItsExitCode) {
  EXPECT_EQ(stop_->ExitCodeOf(Consumer::End::kQueueEmpty), kExitDone);
  EXPECT_EQ(stop_->ExitCodeOf(Consumer::End::kDrained), kExitDone);
  EXPECT_EQ(stop_->ExitCodeOf(Consumer::End::kMachineUnfit), kExitMachineUnfit);
  EXPECT_EQ(stop_->ExitCodeOf(Consumer::End::kQueueBroken), kExitTasksFile);
}

TEST_F(WorkerStopTest, SignalStopsWithItsExitCode) {
  ASSERT_EQ(kill(getpid(), SIGTERM), 0);
  ASSERT_TRUE(AwaitCancel(stop_->token(), never_));
  EXPECT_TRUE(stop_->drain().cancelled());
  EXPECT_FALSE(stop_->preempted().cancelled());
  EXPECT_EQ(stop_->ExitCodeOf(Consumer::End::kStopped), 128 + SIGTERM);
  EXPECT_EQ(stop_->ExitCodeBeforeClaims(), 128 + SIGTERM);
}

TEST_F(WorkerStopTest, PreemptionStopsWithItsExitCode) {
  stop_->preempted().Cancel(CancelKind::kHandBack, "the VM is preempted");
  EXPECT_TRUE(stop_->token().cancelled());
  EXPECT_TRUE(stop_->drain().cancelled());
  EXPECT_EQ(stop_->ExitCodeOf(Consumer::End::kStopped), kExitPreempted);
}

TEST_F(WorkerStopTest, DrainBeforeClaimsIsDone) {
  ASSERT_EQ(kill(getpid(), SIGUSR1), 0);
  ASSERT_TRUE(AwaitCancel(stop_->drain(), never_));
  EXPECT_FALSE(stop_->token().cancelled());
  EXPECT_EQ(stop_->ExitCodeBeforeClaims(), kExitDone);
}

TEST(StopTimeTest, PreemptionShortensLongStop) {
  EXPECT_EQ(StopTime{absl::Minutes(5)}.OnPreemption().within, kStopWithin);
  EXPECT_EQ(StopTime{absl::Seconds(5)}.OnPreemption().within, absl::Seconds(5));
}

}  // namespace
}  // namespace sparkles
