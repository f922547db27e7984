#include "process/leftovers.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_directory.h"
#include "tests/support/unrelated_process.h"

namespace sparkles {
namespace {

TEST(LeftoversTest, OnlyMarkedProcessesAreEnded) {
  const TempDirectory directory;
  const std::string mark = absl::StrCat("SPARKLES_TASK_DIR=", directory.path());
  const pid_t ours = StartUnrelatedProcess(mark, directory);
  const pid_t other = StartUnrelatedProcess(mark + "0", directory);
  const Leftovers left = EndLeftovers(mark, absl::Seconds(10));
  EXPECT_EQ(left.killed, 1);
  EXPECT_FALSE(left.any_alive);
  EXPECT_TRUE(
      Eventually([&] { return !IsAlive(ours); }));  // the environment is gone before the process is
  EXPECT_TRUE(IsAlive(other));
  kill(other, SIGKILL);
}

TEST(LeftoversTest, ChildrenOfCallerAreSpared) {
  const TempDirectory directory;
  std::string mark = absl::StrCat("SPARKLES_TASK_DIR=", directory.path());
  std::string program = "/bin/sleep";
  std::string seconds = "600";
  char* const argv[] = {program.data(), seconds.data(), nullptr};
  char* const environment[] = {mark.data(), nullptr};
  pid_t child = 0;
  ASSERT_EQ(posix_spawn(&child, program.c_str(), nullptr, nullptr, argv, environment), 0);
  EXPECT_EQ(EndLeftovers(mark, absl::Seconds(10)).killed, 0);
  EXPECT_TRUE(IsAlive(child));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST(LeftoversTest, MissingProcFindsNoLeftovers) {
  EXPECT_EQ(EndLeftovers("A=b", absl::Seconds(10), "/nonexistent").killed, 0);
}

}  // namespace
}  // namespace sparkles
