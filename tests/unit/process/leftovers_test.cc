#include "process/leftovers.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_folder.h"

namespace sparkles {
namespace {

// A process whose parent is not this one: a shell that starts it and goes.
pid_t StartStranger(const std::string& variable, const TempFolder& folder) {
  const std::string pid_file = folder / "pid";
  const std::string script = absl::StrCat("sleep 600 > /dev/null 2>&1 & echo $! > ", pid_file);
  std::string shell = "/bin/sh";
  std::string flag = "-c";
  std::string text = script;
  std::string set = variable;
  char* const argv[] = {shell.data(), flag.data(), text.data(), nullptr};
  char* const environment[] = {set.data(), nullptr};
  pid_t pid = 0;
  EXPECT_EQ(posix_spawn(&pid, shell.c_str(), nullptr, nullptr, argv, environment), 0);
  EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
  const int stranger = std::stoi(ReadFile(pid_file, 100).value_or("0"));
  const std::string proc = absl::StrCat("/proc/", stranger);
  EXPECT_TRUE(Eventually([&] {  // amid exec it has no environment
    return absl::StartsWith(ReadFile(proc + "/cmdline", 100).value_or(""), "sleep") &&
           absl::StrContains(ReadFile(proc + "/environ", 64 << 10).value_or(""), variable);
  }));
  return stranger;
}

bool Lives(pid_t pid) {
  const auto status = ReadFile(absl::StrCat("/proc/", pid, "/status"), 64 << 10);
  return status.ok() && status->find("State:\tZ") == std::string::npos;
}

TEST(LeftoversTest, WhoCarriesTheMarkIsEndedAndNobodyElse) {
  const TempFolder folder;
  const std::string mark = absl::StrCat("SPARKLES_TASK_DIR=", folder.path());
  const pid_t ours = StartStranger(mark, folder);
  const pid_t other = StartStranger(mark + "0", folder);
  EXPECT_EQ(EndLeftovers(mark, absl::Seconds(10)), 1);
  EXPECT_TRUE(Eventually([&] { return !Lives(ours); }));  // it has lost its environment before
  EXPECT_TRUE(Lives(other));
  kill(other, SIGKILL);
}

TEST(LeftoversTest, ChildrenOfTheCallerAreItsOwnBusiness) {
  const TempFolder folder;
  std::string mark = absl::StrCat("SPARKLES_TASK_DIR=", folder.path());
  std::string program = "/bin/sleep";
  std::string seconds = "600";
  char* const argv[] = {program.data(), seconds.data(), nullptr};
  char* const environment[] = {mark.data(), nullptr};
  pid_t child = 0;
  ASSERT_EQ(posix_spawn(&child, program.c_str(), nullptr, nullptr, argv, environment), 0);
  EXPECT_EQ(EndLeftovers(mark, absl::Seconds(10)), 0);
  EXPECT_TRUE(Lives(child));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST(LeftoversTest, WithoutProcNobodyIsFound) {
  EXPECT_EQ(EndLeftovers("A=b", absl::Seconds(10), "/nonexistent"), 0);
}

}  // namespace
}  // namespace sparkles
