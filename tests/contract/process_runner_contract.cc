#include "tests/contract/process_runner_contract.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "absl/time/clock.h"
#include "base/file.h"
#include "base/status.h"

namespace sparkles {

void ProcessRunnerContract::SetUp() {
  absl::StatusOr<UniqueFd> file = OpenFile(directory_ / "output", O_WRONLY | O_CREAT | O_APPEND);
  ASSERT_TRUE(file.ok()) << file.status();
  output_ = *std::move(file);
  under_test_ = GetParam()();
  ASSERT_NE(under_test_, nullptr);
}

Command ProcessRunnerContract::Shell(const std::string& script) const {
  Command command;
  command.argv = {"/bin/sh", "-c", script};
  command.environment = {"PATH=/usr/bin:/bin"};
  command.directory = directory_.path();
  command.output_fd = output_.get();
  return command;
}

std::string ProcessRunnerContract::Output() const {
  return ReadFile(directory_ / "output", 1 << 20).value_or("(no output)");
}

TEST_P(ProcessRunnerContract, ExitCodeAndOutputAreReported) {
  under_test_->NextPrints("hello\n", 3);
  const absl::StatusOr<CommandExit> exit =
      under_test_->runner().Run(Shell("echo hello; exit 3"), Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  ASSERT_TRUE(WIFEXITED(exit->wait_status));
  EXPECT_EQ(WEXITSTATUS(exit->wait_status), 3);
  EXPECT_EQ(Output(), "hello\n");
  EXPECT_EQ(exit->leftovers, 0);
}

TEST_P(ProcessRunnerContract, SignalDeathIsOrdinaryExit) {
  under_test_->NextDiesOf(SIGKILL);
  const absl::StatusOr<CommandExit> exit =
      under_test_->runner().Run(Shell("kill -KILL $$"), Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  ASSERT_TRUE(WIFSIGNALED(exit->wait_status));
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGKILL);
}

TEST_P(ProcessRunnerContract, TimesAndMemoryAreReported) {
  const absl::Time before = absl::Now();
  under_test_->NextPrints("", 0);
  const absl::StatusOr<CommandExit> exit =
      under_test_->runner().Run(Shell("exit 0"), Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_GE(exit->start, before - absl::Milliseconds(10));
  EXPECT_LE(exit->start, exit->end);
  EXPECT_LE(exit->end, absl::Now() + absl::Milliseconds(10));
  EXPECT_GT(exit->usage.max_rss_kb, 0);
}

TEST_P(ProcessRunnerContract, CommandsRunInSequence) {
  for (int code = 0; code < 3; ++code) {
    under_test_->NextPrints("x", code);
    const absl::StatusOr<CommandExit> exit = under_test_->runner().Run(
        Shell("printf x; exit " + std::to_string(code)), Activity(cancel_));
    ASSERT_TRUE(exit.ok()) << exit.status();
    EXPECT_EQ(WEXITSTATUS(exit->wait_status), code);
  }
  EXPECT_EQ(Output(), "xxx");
}

TEST_P(ProcessRunnerContract, MissingDirectoryIsFailedPrecondition) {
  Command command = Shell("true");
  command.directory = directory_ / "absent";
  const absl::Status status = under_test_->runner().Run(command, Activity(cancel_)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_EQ(status.message().find("chdir " + command.directory + ": "), 0u) << status;
  EXPECT_FALSE(IsMachineFault(status));
}

TEST_P(ProcessRunnerContract, FileAsDirectoryIsFailedPrecondition) {
  Command command = Shell("true");
  command.directory = directory_ / "output";
  const absl::Status status = under_test_->runner().Run(command, Activity(cancel_)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
}

TEST_P(ProcessRunnerContract, MissingProgramIsNotFound) {
  Command command = Shell("true");
  command.argv[0] = directory_ / "absent";
  const absl::Status status = under_test_->runner().Run(command, Activity(cancel_)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
  EXPECT_EQ(status.message().find("exec " + command.argv[0] + ": "), 0u) << status;
}

TEST_P(ProcessRunnerContract, NonExecutableProgramIsPermissionDenied) {
  Command command = Shell("true");
  command.argv[0] = directory_ / "output";
  const absl::Status status = under_test_->runner().Run(command, Activity(cancel_)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
}

TEST_P(ProcessRunnerContract, NulInCommandIsRefused) {
  Command command = Shell(std::string("echo \0 hidden", 13));
  EXPECT_EQ(under_test_->runner().Run(command, Activity(cancel_)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Output(), "");
}

TEST_P(ProcessRunnerContract, CancelledTokenEndsCommandAtStart) {
  cancel_.Cancel(CancelKind::kHandBack, "test");
  under_test_->NextWaitsForCancel();
  const absl::StatusOr<CommandExit> exit =
      under_test_->runner().Run(Shell("sleep 1000"), Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  ASSERT_TRUE(WIFSIGNALED(exit->wait_status));
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGTERM);
}

TEST_P(ProcessRunnerContract, CommandBeyondTimeLimitIsEnded) {  // D37
  Command command = Shell("sleep 1000");
  command.time_limit = absl::Milliseconds(50);
  under_test_->NextWaitsForCancel();
  const absl::StatusOr<CommandExit> exit = under_test_->runner().Run(command, Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_TRUE(exit->timed_out);
  ASSERT_TRUE(WIFSIGNALED(exit->wait_status));
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGTERM);
}

TEST_P(ProcessRunnerContract, CommandWithinTimeLimitCompletes) {
  Command command = Shell("exit 5");
  command.time_limit = absl::Hours(1);
  under_test_->NextPrints("", 5);
  const absl::StatusOr<CommandExit> exit = under_test_->runner().Run(command, Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_FALSE(exit->timed_out);
  EXPECT_EQ(WEXITSTATUS(exit->wait_status), 5);
}

TEST_P(ProcessRunnerContract, CommandWithoutProgressIsEnded) {
  Command command = Shell("sleep 1000");
  command.no_progress_timeout = absl::Milliseconds(200);
  under_test_->NextWaitsForCancel();
  const absl::StatusOr<CommandExit> exit = under_test_->runner().Run(command, Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_TRUE(exit->no_progress);
  EXPECT_FALSE(exit->timed_out);
  ASSERT_TRUE(WIFSIGNALED(exit->wait_status));
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGTERM);
}

TEST_P(ProcessRunnerContract, ShortCommandNeedsNoProgress) {
  Command command = Shell("exit 5");
  command.no_progress_timeout = absl::Hours(1);
  under_test_->NextPrints("", 5);
  const absl::StatusOr<CommandExit> exit = under_test_->runner().Run(command, Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_FALSE(exit->no_progress);
  EXPECT_EQ(WEXITSTATUS(exit->wait_status), 5);
  EXPECT_EQ(Output(), "");
}

TEST_P(ProcessRunnerContract, StopWinsOverMissingProgress) {
  cancel_.Cancel(CancelKind::kHandBack, "test");
  Command command = Shell("sleep 1000");
  command.no_progress_timeout = absl::Milliseconds(1);
  under_test_->NextWaitsForCancel();
  const absl::StatusOr<CommandExit> exit = under_test_->runner().Run(command, Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_FALSE(exit->no_progress);
}

TEST_P(ProcessRunnerContract, NextCommandRunsAfterError) {
  Command broken = Shell("true");
  broken.directory = directory_ / "absent";
  EXPECT_FALSE(under_test_->runner().Run(broken, Activity(cancel_)).ok());
  under_test_->NextPrints("", 5);
  const absl::StatusOr<CommandExit> exit =
      under_test_->runner().Run(Shell("exit 5"), Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(WEXITSTATUS(exit->wait_status), 5);
}

}  // namespace sparkles
