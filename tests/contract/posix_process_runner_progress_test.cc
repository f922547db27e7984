// Tests that the runner ends commands without progress, and no others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <string>

#include "process/monotonic.h"
#include "process/posix_process_runner.h"
#include "tests/contract/posix_process_runner_fixture.h"

namespace sparkles {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class PosixProcessRunnerProgress : public PosixProcessRunnerTest {
 protected:
  CommandExit RunWatched(const std::string& script, absl::Duration timeout) {
    if (runner_ == nullptr) Start();
    Command command = Shell(script);
    command.no_progress_timeout = timeout;
    command.grace = absl::Milliseconds(500);
    absl::StatusOr<CommandExit> exit = runner_->Run(command, Activity(cancel_));
    EXPECT_TRUE(exit.ok()) << exit.status();
    return exit.value_or(CommandExit());
  }

  // Runs a script that is idle in the end, and expects that the script is ended.
  CommandExit RunIdle(const std::string& script) {
    const CommandExit exit = RunWatched(script, absl::Seconds(1));
    EXPECT_TRUE(exit.no_progress);
    EXPECT_THAT(Output(), HasSubstr("sparkles: no progress for 1s (--noProgressTimeout)"));
    return exit;
  }

  // Runs a script that works for longer than the timeout, and expects that the script ends itself.
  void RunWorking(const std::string& script) {
    const absl::Duration start = MonotonicNow();
    const CommandExit exit = RunWatched(script, absl::Seconds(2));
    EXPECT_FALSE(exit.no_progress) << Output();
    EXPECT_TRUE(WIFEXITED(exit.wait_status) && WEXITSTATUS(exit.wait_status) == 6) << Output();
    EXPECT_GT(MonotonicNow() - start, absl::Seconds(2));
  }
};

TEST_F(PosixProcessRunnerProgress, ReportNamesProcesses) {
  RunIdle("sleep 1000 & echo $! >pid; wait");
  EXPECT_THAT(Output(), ContainsRegex("sparkles: process [0-9]+ 'sh', parent [0-9]+: S"));
  EXPECT_THAT(Output(), HasSubstr("process " + std::to_string(PidIn("pid")) + " 'sleep'"));
}

TEST_F(PosixProcessRunnerProgress, ReportComesBeforeTerm) {
  const CommandExit exit = RunIdle("trap 'echo tidy; exit 7' TERM; sleep 1000 & wait");
  EXPECT_EQ(WEXITSTATUS(exit.wait_status), 7);
  EXPECT_LT(Output().find("sparkles: process"), Output().find("tidy"));
  EXPECT_TRUE(Output().ends_with("tidy\n")) << Output();
}

TEST_F(PosixProcessRunnerProgress, StoppedCommandIsEnded) {
  const CommandExit exit = RunIdle("kill -STOP $$; exit 1");
  EXPECT_EQ(WTERMSIG(exit.wait_status), SIGTERM);
  EXPECT_THAT(Output(), ContainsRegex("'sh', parent [0-9]+: T"));
}

TEST_F(PosixProcessRunnerProgress, CommandIgnoringTermIsKilled) {
  const CommandExit exit = RunIdle("trap '' TERM; exec sleep 1000");
  EXPECT_EQ(WTERMSIG(exit.wait_status), SIGKILL);
}

TEST_F(PosixProcessRunnerProgress, TimeLimitComesFirst) {
  Start();
  Command command = Shell("sleep 1000");
  command.no_progress_timeout = absl::Hours(1);
  command.time_limit = absl::Milliseconds(50);
  const absl::StatusOr<CommandExit> exit = runner_->Run(command, Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_TRUE(exit->timed_out);
  EXPECT_FALSE(exit->no_progress);
}

TEST_F(PosixProcessRunnerProgress, ShortSleepsAreProgress) {
  RunWorking("for i in 1 2 3 4 5 6 7; do sleep 0.4; done; exit 6");
}

TEST_F(PosixProcessRunnerProgress, WorkingDaemonIsProgress) {
  RunWorking(
      "(setsid sh -c 'for i in 1 2 3 4 5 6 7; do sleep 0.4; done; echo >pipe' &) ; "
      "mkfifo pipe; read line <pipe; exit 6");
}

TEST_F(PosixProcessRunnerProgress, MissingProcEndsNoCommand) {
  Start("/absent");
  const CommandExit exit = RunWatched("sleep 1; exit 6", absl::Milliseconds(100));
  EXPECT_EQ(WEXITSTATUS(exit.wait_status), 6);
  EXPECT_THAT(Output(), HasSubstr("--noProgressTimeout has no effect: /absent does not show"));
}

}  // namespace
}  // namespace sparkles
