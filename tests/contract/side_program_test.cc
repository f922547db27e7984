// Tests programs that run beside the commands of a PosixProcessRunner.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "process/posix_process_runner.h"
#include "tests/contract/posix_process_runner_fixture.h"
#include "tests/support/eventually.h"

namespace sparkles {
namespace {

// Writes its id to the file `side`, then lives until it is killed, together with a child and a
// daemon whose ids are in `child` and `daemon`.
constexpr char kSideScript[] =
    "trap '' TERM HUP INT; sleep 1000 & echo $! >child; (setsid sh -c 'echo $$ >daemon; "
    "exec sleep 1000' &); while [ ! -s daemon ]; do sleep 0.01; done; echo $$ >side; "
    "while :; do sleep 1000; done";

class SideProgramTest : public PosixProcessRunnerTest {
 protected:
  void SetUp() override {
    PosixProcessRunnerTest::SetUp();
    Start();
    ASSERT_TRUE(runner_->StartSideProgram().ok());
    auto file = OpenFile(directory_ / "side-output", O_WRONLY | O_CREAT | O_APPEND);
    ASSERT_TRUE(file.ok()) << file.status();
    side_output_ = *std::move(file);
  }

  SideProgram& side() { return *runner_->side_program(); }

  Command Side(const std::string& script) const {
    Command command = Shell(script);
    command.output_fd = side_output_.get();
    return command;
  }

  // Starts kSideScript, and returns the id of its shell.
  pid_t StartSide() {
    EXPECT_TRUE(side().Run(Side(kSideScript)).ok());
    return PidIn("side");
  }

  bool SideHasEnded() {
    return Eventually(
        [&] { return !Runs(PidIn("side")) && !Runs(PidIn("child")) && !Runs(PidIn("daemon")); });
  }

  UniqueFd side_output_;
};

TEST_F(SideProgramTest, ProgramIsNoPartOfCommand) {
  const pid_t pid = StartSide();
  const CommandExit exit = Run("sleep 0.3; ps -o sid= -p $$ >sid; exit 5");
  EXPECT_EQ(WEXITSTATUS(exit.wait_status), 5);
  EXPECT_LE(exit.usage.peak_processes, 2);  // the shell and a program
  EXPECT_EQ(exit.leftovers, 0);
  EXPECT_FALSE(exit.survivors);
  EXPECT_TRUE(Runs(pid));
  EXPECT_EQ(Output(), "");
  EXPECT_EQ(getsid(pid), pid);
}

TEST_F(SideProgramTest, EndKillsAllProcesses) {
  StartSide();
  side().End();
  EXPECT_TRUE(SideHasEnded());
}

TEST_F(SideProgramTest, NextProgramStartsAfterEnd) {
  StartSide();
  EXPECT_TRUE(absl::IsUnavailable(side().Run(Side("echo early"))));
  side().End();
  EXPECT_TRUE(Eventually([&] { return side().Run(Side("echo $$ >next")).ok(); }));
  EXPECT_GT(PidIn("next"), 0);
  EXPECT_TRUE(SideHasEnded());
  EXPECT_EQ(ReadFile(directory_ / "side-output", 100).value_or("?"), "");
}

TEST_F(SideProgramTest, MissingProgramIsNoError) {
  Command command = Side("");
  command.argv = {directory_ / "absent"};
  ASSERT_TRUE(side().Run(command).ok());
  EXPECT_TRUE(Eventually([&] { return side().Run(Side("echo $$ >next")).ok(); }));
  EXPECT_GT(PidIn("next"), 0);
}

// A stopped launcher stands for a program that hangs in the kernel: it does not answer.
TEST_F(SideProgramTest, HungProgramDelaysNoCommand) {
  const pid_t pid = StartSide();
  kill(side().launcher_pid(), SIGSTOP);
  side().End();
  EXPECT_EQ(WEXITSTATUS(Run("exit 3").wait_status), 3);
  EXPECT_TRUE(absl::IsUnavailable(side().Run(Side("true"))));
  EXPECT_TRUE(runner_->EndSurvivors().ok());
  EXPECT_TRUE(Runs(pid));
  runner_.reset();  // continues the launcher
  EXPECT_TRUE(SideHasEnded());
}

TEST_F(SideProgramTest, ProgramSurvivesLauncherOfCommands) {
  const pid_t pid = StartSide();
  const auto exit = runner_->Run(Shell("kill -9 $PPID; sleep 1000"), Activity(cancel_));
  EXPECT_TRUE(absl::IsFailedPrecondition(exit.status())) << exit.status();
  EXPECT_TRUE(runner_->EndSurvivors().ok());
  EXPECT_TRUE(Runs(pid));
  EXPECT_EQ(WEXITSTATUS(Run("exit 3").wait_status), 3);
  side().End();
  EXPECT_TRUE(SideHasEnded());
}

TEST_F(SideProgramTest, ProgramEndsWithItsLauncher) {
  const pid_t pid = StartSide();
  kill(side().launcher_pid(), SIGKILL);
  EXPECT_TRUE(Eventually([&] { return !Runs(pid); }));
  EXPECT_TRUE(absl::IsFailedPrecondition(side().Run(Side("true"))));
  EXPECT_EQ(side().launcher_pid(), 0);
  EXPECT_EQ(WEXITSTATUS(Run("exit 3").wait_status), 3);
  side().End();
  kill(PidIn("child"), SIGKILL);
  kill(PidIn("daemon"), SIGKILL);
}

TEST_F(SideProgramTest, ProgramEndsWithRunner) {
  StartSide();
  runner_.reset();
  EXPECT_TRUE(SideHasEnded());
}

TEST_F(SideProgramTest, ProgramEndsWhenWorkerIsKilled) {
  runner_.reset();
  const pid_t worker = fork();
  if (worker == 0) {
    auto runner = PosixProcessRunner::Start();
    const bool ready = runner.ok() && (*runner)->StartSideProgram().ok();
    if (!ready || !(*runner)->side_program()->Run(Side(kSideScript)).ok()) _exit(1);
    while (true) pause();
  }
  EXPECT_GT(PidIn("side"), 0);
  kill(worker, SIGKILL);
  EXPECT_EQ(waitpid(worker, nullptr, 0), worker);
  EXPECT_TRUE(SideHasEnded());
}

}  // namespace
}  // namespace sparkles
