#include "tests/support/unrelated_process.h"

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/support/eventually.h"

namespace sparkles {

pid_t StartUnrelatedProcess(const std::string& variable, const TempDirectory& directory) {
  // The shell starts the process and exits.
  const std::string pid_file = directory / "pid";
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
  const int process = std::stoi(ReadFile(pid_file, 100).value_or("0"));
  const std::string proc = absl::StrCat("/proc/", process);
  EXPECT_TRUE(Eventually([&] {  // during exec the process has no environment
    return absl::StartsWith(ReadFile(proc + "/cmdline", 100).value_or(""), "sleep") &&
           absl::StrContains(ReadFile(proc + "/environ", 64 << 10).value_or(""), variable);
  }));
  return process;
}

bool IsAlive(pid_t pid) {
  const auto status = ReadFile(absl::StrCat("/proc/", pid, "/status"), 64 << 10);
  return status.ok() && status->find("State:\tZ") == std::string::npos;
}

}  // namespace sparkles
