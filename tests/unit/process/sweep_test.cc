#include "process/sweep.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sparkles {
namespace {

// Runs in a child process, because that process has no other children.
TEST(SweepChildrenTest, ZeroLimitStillKillsChildren) {
  EXPECT_EXIT(
      {
        const pid_t child = fork();
        while (child == 0) pause();
        bool killed = SweepChildren("/proc", absl::ZeroDuration()).killed == 1;
        if (!killed) {  // the child may not have ended yet
          kill(child, SIGTERM);
          int status = 0;
          killed = waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
                   WTERMSIG(status) == SIGKILL;
        }
        _exit(killed ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

// A child that lives until it is killed.
pid_t ForkSleeper() {
  const pid_t child = fork();
  while (child == 0) pause();
  return child;
}

TEST(SweepChildrenTest, SparedChildLivesOn) {
  EXPECT_EXIT(
      {
        const pid_t spared = ForkSleeper();
        const pid_t other = ForkSleeper();
        const bool both = HasOtherLiveChild("/proc", spared) && HasOtherLiveChild("/proc", other);
        const ReapedProcesses reaped = SweepChildren("/proc", absl::InfiniteDuration(), spared);
        const bool right = both && reaped.killed == 1 && HasLiveChild() &&
                           !HasOtherLiveChild("/proc", spared) && HasOtherLiveChild("/proc", 0);
        kill(spared, SIGKILL);
        _exit(right ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(SweepChildrenTest, OtherChildIsFoundWithoutProc) {
  EXPECT_EXIT(
      {
        const pid_t spared = ForkSleeper();
        const pid_t other = ForkSleeper();
        const bool found = HasOtherLiveChild("/no-proc", spared);
        kill(other, SIGKILL);
        waitpid(other, nullptr, 0);
        const bool right = found && !HasOtherLiveChild("/no-proc", spared);
        kill(spared, SIGKILL);
        _exit(right ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace sparkles
