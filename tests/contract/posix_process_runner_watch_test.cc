// What is known of a command while it runs, and measured by the time it ends.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "absl/strings/numbers.h"
#include "process/posix_process_runner.h"
#include "tests/contract/posix_process_runner_fixture.h"

namespace sparkles {
namespace {

TEST_F(PosixProcessRunnerTest, WhoWaitsGivesSignsOfLifeAsLongAsTheCommandRuns) {
  Command command = Shell("sleep 1000");
  int calls = 0;
  command.while_waiting = [&] {
    if (++calls == 4) cancel_.Cancel(CancelKind::kHandBack, "enough");
  };
  Start();
  const auto exit = runner_->Run(command, cancel_);
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGTERM);
  EXPECT_GE(calls, 4);
  EXPECT_LT(exit->end - exit->start, absl::Seconds(60)) << "about twice a second";
}

TEST_F(PosixProcessRunnerTest, ACommandIsMoreWillinglyKilledThanTheWorker) {
  Run("cat /proc/self/oom_score_adj");
  int score = 0;
  ASSERT_TRUE(absl::SimpleAtoi(Output(), &score)) << Output();
  EXPECT_GE(score, 500);
}

TEST_F(PosixProcessRunnerTest, AHigherScoreThanOursStays) {
  Run("echo 800 > /proc/self/oom_score_adj; sh -c 'cat /proc/self/oom_score_adj'");
  EXPECT_EQ(Output(), "800\n");
}

TEST_F(PosixProcessRunnerTest, TheMostProcessesAtATimeAreTold) {
  EXPECT_EQ(Run("true").usage.peak_processes, 1);
  const CommandExit exit = Run("sleep 0.5 & sleep 0.5 & sleep 0.5 & wait");
  EXPECT_EQ(exit.usage.peak_processes, 4);
  EXPECT_GE(exit.usage.peak_rss_kb, exit.usage.max_rss_kb);
}

TEST_F(PosixProcessRunnerTest, EachCommandHasItsOwnPeaks) {
  EXPECT_EQ(Run("sleep 0.3 & sleep 0.3 & wait").usage.peak_processes, 3);
  EXPECT_EQ(Run("true").usage.peak_processes, 1);
  EXPECT_EQ(Run("true").usage.write_bytes, 0);
}

TEST_F(PosixProcessRunnerTest, WithoutProcThereIsStillARecord) {
  Start("/absent");
  const CommandExit exit = Run("sleep 0.3");
  EXPECT_EQ(exit.usage.peak_processes, 1);
  EXPECT_EQ(exit.usage.peak_rss_kb, exit.usage.max_rss_kb);
  EXPECT_EQ(exit.usage.read_bytes, 0);
}

TEST_F(PosixProcessRunnerTest, ALimitThatPassesAfterTheCommandsEndIsNotItsFault) {
  Start();
  // What it leaves behind is waited for; meanwhile its time is up.
  for (const int milliseconds : {150, 250, 350, 450}) {
    Command command = Shell("sleep 0.1; sleep 1000 & exit 0");
    command.time_limit = absl::Milliseconds(milliseconds);
    const absl::StatusOr<CommandExit> exit = runner_->Run(command, cancel_);
    ASSERT_TRUE(exit.ok()) << exit.status();
    const bool ended_well = WIFEXITED(exit->wait_status) && WEXITSTATUS(exit->wait_status) == 0;
    EXPECT_EQ(exit->timed_out, !ended_well) << milliseconds;
  }
}

}  // namespace
}  // namespace sparkles
