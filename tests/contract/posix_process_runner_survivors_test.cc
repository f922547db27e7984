// Tests commands that leave a process of another user, which the runner cannot kill.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <thread>

#include "absl/time/clock.h"
#include "base/file.h"
#include "base/status.h"
#include "process/monotonic.h"
#include "process/posix_process_runner.h"
#include "tests/contract/posix_process_runner_fixture.h"
#include "tests/support/eventually.h"

namespace sparkles {
namespace {

constexpr uid_t kOtherUser = 64'321;
constexpr char kSetpriv[] = "/usr/bin/setpriv";

class PosixProcessRunnerSurvivors : public PosixProcessRunnerTest {
 protected:
  void SetUp() override {
    if (geteuid() != 0 || access(kSetpriv, X_OK) != 0) GTEST_SKIP() << "needs root and setpriv";
    struct statvfs info;
    ASSERT_EQ(statvfs(directory_.path().c_str(), &info), 0);
    if ((info.f_flag & ST_NOSUID) != 0) GTEST_SKIP() << "needs a directory with setuid programs";
    PosixProcessRunnerTest::SetUp();
    std::filesystem::copy_file(kSetpriv, directory_ / "rise");
    ASSERT_EQ(chmod((directory_ / "rise").c_str(), 04755), 0);
    ASSERT_EQ(chmod(directory_.path().c_str(), 0777), 0);
  }

  void TearDown() override {
    const pid_t survivor = access((directory_ / "pid").c_str(), F_OK) == 0 ? PidIn("pid") : 0;
    if (survivor > 0) kill(survivor, SIGKILL);
  }

  // Leaves a process of root that writes its id to the file `pid`, and exits with 6.
  Command LeaveSurvivor() const {
    return Shell(
        "(setsid ./rise --reuid 0 --regid 0 --clear-groups sh -c 'echo $$ >pid; exec sleep 1000' "
        "&); while [ ! -s pid ]; do sleep 0.01; done; exit 6");
  }

  // Returns the result of `check`, which runs in a child process that is not root.
  static bool AsOtherUser(const std::function<bool()>& check) {
    const pid_t child = fork();
    if (child == 0) _exit(setgid(kOtherUser) == 0 && setuid(kOtherUser) == 0 && check() ? 0 : 1);
    int status = -1;
    return waitpid(child, &status, 0) == child && status == 0;
  }
};

TEST_F(PosixProcessRunnerSurvivors, SurvivorBlocksNextCommand) {
  std::thread killer([this] {
    EXPECT_TRUE(Eventually([this] { return access((directory_ / "told").c_str(), F_OK) == 0; }));
    kill(PidIn("pid"), SIGKILL);
  });
  EXPECT_TRUE(AsOtherUser([this] {
    Start();
    Command command = LeaveSurvivor();
    command.sweep_limit = absl::Milliseconds(300);
    const auto exit = runner_->Run(command, Activity(cancel_));
    EXPECT_TRUE(exit.ok()) << exit.status();
    EXPECT_TRUE(exit.ok() && exit->survivors);
    EXPECT_TRUE(exit.ok() && WEXITSTATUS(exit->wait_status) == 6);
    EXPECT_TRUE(absl::IsUnavailable(runner_->EndSurvivors()));
    EXPECT_TRUE(IsMachineFault(runner_->Run(Shell("exit 5"), Activity(cancel_)).status()));
    EXPECT_TRUE(WriteFileAtomically(directory_ / "told", "", false).ok());
    EXPECT_TRUE(Eventually([this] { return runner_->EndSurvivors().ok(); }));
    EXPECT_EQ(WEXITSTATUS(Run("exit 5").wait_status), 5);
    return !HasFailure();
  }));
  killer.join();
}

TEST_F(PosixProcessRunnerSurvivors, StopEndsWaitForSurvivor) {
  EXPECT_TRUE(AsOtherUser([this] {
    Start();
    std::thread canceller([this] {
      EXPECT_GT(PidIn("pid"), 0);
      absl::SleepFor(absl::Seconds(1));  // the command has ended by then
      cancel_.Cancel(CancelKind::kHandBack, "test");
    });
    Command command = LeaveSurvivor();
    command.sweep_limit = absl::Hours(1);
    command.grace = absl::Hours(1);
    const absl::Duration start = MonotonicNow();
    const auto exit = runner_->Run(command, Activity(cancel_));
    EXPECT_TRUE(exit.ok() && exit->survivors);
    EXPECT_LT(MonotonicNow() - start, absl::Seconds(10));
    canceller.join();
    return !HasFailure();
  }));
}

// A process of root stands for an nvidia-smi that hangs in the kernel: KILL does not end it.
TEST_F(PosixProcessRunnerSurvivors, UnkillableSideProgramBlocksNothing) {
  EXPECT_TRUE(AsOtherUser([this] {
    Start();
    EXPECT_TRUE(runner_->StartSideProgram().ok());
    SideProgram& side = *runner_->side_program();
    const Command unkillable = Shell(
        "exec ./rise --reuid 0 --regid 0 --clear-groups sh -c 'echo $$ >pid; exec sleep 1000'");
    EXPECT_TRUE(side.Run(unkillable).ok());
    EXPECT_GT(PidIn("pid"), 0);
    side.End();
    EXPECT_EQ(WEXITSTATUS(Run("exit 5").wait_status), 5);
    EXPECT_TRUE(absl::IsUnavailable(side.Run(unkillable))) << "one hung program is enough";
    // Without its launcher, the worker itself looks for survivors.
    const auto exit = runner_->Run(Shell("kill -9 $PPID; sleep 1000"), Activity(cancel_));
    EXPECT_TRUE(absl::IsFailedPrecondition(exit.status())) << exit.status();
    EXPECT_TRUE(runner_->EndSurvivors().ok());
    EXPECT_EQ(WEXITSTATUS(Run("exit 6").wait_status), 6);
    EXPECT_TRUE(Runs(PidIn("pid")));
    runner_.reset();
    return !HasFailure();
  }));
}

TEST_F(PosixProcessRunnerSurvivors, SideProgramsDoNotPileUp) {
  EXPECT_TRUE(AsOtherUser([this] {
    Start();
    EXPECT_TRUE(runner_->StartSideProgram().ok());
    SideProgram& side = *runner_->side_program();
    Command command = LeaveSurvivor();
    command.sweep_limit = absl::Milliseconds(300);
    EXPECT_TRUE(side.Run(command).ok());
    EXPECT_GT(PidIn("pid"), 0);
    // In this time the launcher gives up to end the survivor.
    for (int i = 0; i < 200; ++i) {
      absl::SleepFor(absl::Milliseconds(10));
      EXPECT_TRUE(absl::IsUnavailable(side.Run(Shell("true"))));
    }
    runner_.reset();
    return !HasFailure();
  }));
}

}  // namespace
}  // namespace sparkles
