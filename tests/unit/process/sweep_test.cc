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

}  // namespace
}  // namespace sparkles
