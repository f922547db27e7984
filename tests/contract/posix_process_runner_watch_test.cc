// Tests what the runner does and measures while a command runs.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/activity.h"
#include "base/worker_metrics.h"
#include "process/posix_process_runner.h"
#include "tests/contract/posix_process_runner_fixture.h"

namespace sparkles {
namespace {

class PosixProcessRunnerWatch : public PosixProcessRunnerTest {
 protected:
  // Runs `count` children at a time, until one sample sees all of them. On a busy machine, a short
  // run may fall between two samples.
  CommandExit RunTogether(int count) {
    CommandExit exit;
    for (int seconds = 1; seconds <= 16 && exit.usage.peak_processes != count + 1; seconds *= 2) {
      std::string script;
      for (int i = 0; i < count; ++i) absl::StrAppend(&script, "sleep ", seconds, " & ");
      exit = Run(script + "wait");
    }
    return exit;
  }
};

TEST_F(PosixProcessRunnerTest, RunningCommandGivesSignsOfLife) {
  WorkerMetrics metrics;
  int calls = 0;
  const Activity activity(cancel_, &metrics.heartbeat, [&](uint64_t) {
    if (++calls == 4) cancel_.Cancel(CancelKind::kHandBack, "enough");
  });
  Start();
  const auto exit = runner_->Run(Shell("sleep 1000"), activity);
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGTERM);
  EXPECT_GE(metrics.heartbeat.beats(), 4);
  EXPECT_LT(exit->end - exit->start, absl::Seconds(60)) << "about twice a second";
}

TEST_F(PosixProcessRunnerTest, OomScoreOfCommandIsRaised) {
  Run("cat /proc/self/oom_score_adj");
  int score = 0;
  ASSERT_TRUE(absl::SimpleAtoi(Output(), &score)) << Output();
  EXPECT_GE(score, 500);
}

TEST_F(PosixProcessRunnerTest, HigherOomScoreIsKept) {
  Run("echo 800 > /proc/self/oom_score_adj; sh -c 'cat /proc/self/oom_score_adj'");
  EXPECT_EQ(Output(), "800\n");
}

TEST_F(PosixProcessRunnerWatch, PeakProcessCountIsReported) {
  EXPECT_EQ(Run("true").usage.peak_processes, 1);
  const CommandExit exit = RunTogether(3);
  EXPECT_EQ(exit.usage.peak_processes, 4);
  EXPECT_GE(exit.usage.peak_rss_kb, exit.usage.max_rss_kb);
}

TEST_F(PosixProcessRunnerWatch, PeaksAreMeasuredPerCommand) {
  EXPECT_EQ(RunTogether(2).usage.peak_processes, 3);
  EXPECT_EQ(Run("true").usage.peak_processes, 1);
  EXPECT_EQ(Run("true").usage.write_bytes, 0);
}

TEST_F(PosixProcessRunnerTest, MissingProcStillGivesUsage) {
  Start("/absent");
  const CommandExit exit = Run("sleep 0.3");
  EXPECT_EQ(exit.usage.peak_processes, 1);
  EXPECT_EQ(exit.usage.peak_rss_kb, exit.usage.max_rss_kb);
  EXPECT_EQ(exit.usage.read_bytes, 0);
}

TEST_F(PosixProcessRunnerTest, TimeLimitIgnoresSweepTime) {
  Start();
  // The time limit passes while the runner waits for the processes that the command left.
  for (const int milliseconds : {150, 250, 350, 450}) {
    bool told_truly = false;
    // A limit that passes as the command ends may count or not.
    for (int i = 0; i < 5 && !told_truly; ++i) {
      Command command = Shell("sleep 0.1; sleep 1000 & exit 0");
      command.time_limit = absl::Milliseconds(milliseconds);
      const absl::StatusOr<CommandExit> exit = runner_->Run(command, Activity(cancel_));
      ASSERT_TRUE(exit.ok()) << exit.status();
      const bool ended_well = WIFEXITED(exit->wait_status) && WEXITSTATUS(exit->wait_status) == 0;
      told_truly = exit->timed_out == !ended_well;
    }
    EXPECT_TRUE(told_truly) << milliseconds;
  }
}

}  // namespace
}  // namespace sparkles
