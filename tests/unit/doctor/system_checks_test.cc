#include "doctor/system_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "process/control_group.h"
#include "tests/support/finding_text.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kMeminfo[] = "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n";

class SystemChecksTest : public testing::Test {
 protected:
  // Makes a /proc in which this process is in a control group with these files.
  void MakeGroup(const std::vector<std::pair<std::string, std::string>>& files) {
    std::filesystem::create_directories(directory_ / "self");
    std::filesystem::create_directories(directory_ / "group/job");
    Write("self/cgroup", "0::/job\n");
    Write("self/mountinfo", "30 1 0:26 / " + directory_.path() + "/group rw - cgroup2 cgroup rw\n");
    Write("meminfo", kMeminfo);
    for (const auto& [name, text] : files) Write("group/job/" + name, text);
  }

  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteFileAtomically(directory_ / name, text, false).ok());
  }

  std::string MakeShell(const std::string& text) {
    Write("sh", text);
    chmod((directory_ / "sh").c_str(), 0755);
    return FindingText(
        [&](Findings& findings) { CheckShell(directory_ / "sh", cancel_, findings); });
  }

  std::string OpenFiles(rlim_t limit) {
    return FindingText(
        [&](Findings& findings) { CheckOpenFiles({limit, limit}, /*transfers=*/32, findings); });
  }

  std::string Processes(rlim_t limit, bool privileged) {
    return FindingText([&](Findings& findings) {
      CheckProcesses({limit, limit}, privileged, directory_.path(), findings);
    });
  }

  std::string Memory() {
    return FindingText([&](Findings& findings) { CheckMemory(directory_.path(), findings); });
  }

  TempDirectory directory_;
  CancelToken cancel_;
};

TEST_F(SystemChecksTest, OldKernelFails) {
  const auto check = [](const char* release) {
    return FindingText([&](Findings& findings) { CheckKernel(release, findings); });
  };
  EXPECT_EQ(check("6.1.0-25-amd64"), "OK    kernel: Linux 6.1.0-25-amd64\n");
  EXPECT_EQ(check("4.14"), "OK    kernel: Linux 4.14\n");
  EXPECT_THAT(check("4.13.2"), AllOf(StartsWith("FAIL  kernel: Linux 4.13.2."),
                                     HasSubstr("Remedy: use a machine with Linux 4.14")));
  EXPECT_THAT(check("2.6.32"), StartsWith("FAIL"));
}

TEST_F(SystemChecksTest, RealShellRunsCommands) {
  EXPECT_EQ(FindingText([&](Findings& findings) { CheckShell("/bin/sh", cancel_, findings); }),
            "OK    /bin/sh: runs commands\n");
}

TEST_F(SystemChecksTest, MissingShellFails) {
  EXPECT_THAT(
      FindingText([&](Findings& findings) { CheckShell(directory_ / "none", cancel_, findings); }),
      AllOf(StartsWith("FAIL"), HasSubstr("No such file"), HasSubstr("with a shell")));
}

TEST_F(SystemChecksTest, ShellThatRunsNothingFails) {
  EXPECT_THAT(MakeShell("#!/bin/sh\nexit 0\n"),
              AllOf(StartsWith("FAIL"), HasSubstr("another exit code")));
}

TEST_F(SystemChecksTest, HangingShellEndsWithToken) {
  cancel_.Cancel(CancelKind::kAbort, "no answer within 5s");
  EXPECT_THAT(MakeShell("#!/bin/sh\nexec sleep 100\n"),
              AllOf(StartsWith("FAIL"), HasSubstr("no answer within 5s")));
}

TEST_F(SystemChecksTest, FewOpenFilesFailOrWarn) {
  EXPECT_EQ(OpenFiles(RLIM_INFINITY), "OK    open files: no limit\n");
  EXPECT_EQ(OpenFiles(1024), "OK    open files: the limit is 1024\n");
  EXPECT_THAT(OpenFiles(100),
              AllOf(StartsWith("WARN"), HasSubstr("enough for 13 transfers"),
                    HasSubstr("(--transfers is 32). Remedy: raise it with `ulimit -n 256`")));
  EXPECT_THAT(OpenFiles(63), StartsWith("FAIL  open files: the limit is 63; the worker needs 64."));
}

TEST_F(SystemChecksTest, ProcessLimitCountsOnlyForUsers) {
  EXPECT_EQ(Processes(10, /*privileged=*/true), "OK    processes: no limit\n");
  EXPECT_THAT(Processes(10, /*privileged=*/false),
              AllOf(StartsWith("FAIL  processes: this user has 0 of at most 10"),
                    HasSubstr("raise `ulimit -u`")));
  EXPECT_THAT(Processes(100, /*privileged=*/false), StartsWith("WARN"));
}

TEST_F(SystemChecksTest, ThreadsOfUserCount) {
  for (int i = 0; i < 40; ++i) {
    std::filesystem::create_directories(directory_ / absl::StrCat("17/task/", i));
  }
  EXPECT_THAT(Processes(100, /*privileged=*/false), HasSubstr("has 40 of at most 100"));
}

TEST_F(SystemChecksTest, GroupLimitOfProcessesCounts) {
  MakeGroup({{"pids.max", "90\n"}, {"pids.current", "40\n"}});
  EXPECT_THAT(Processes(RLIM_INFINITY, /*privileged=*/true),
              AllOf(StartsWith("FAIL  processes: the control group has 40 of at most 90"),
                    HasSubstr("pids limit of the container")));
}

TEST_F(SystemChecksTest, GroupLimitOfMemoryIsNamed) {
  MakeGroup({{"memory.max", "max\n"}});
  EXPECT_EQ(Memory(), "OK    memory: 8.2 GB of 16.4 GB are available\n");
  MakeGroup({{"memory.max", "1000000000\n"}});
  EXPECT_THAT(Memory(), AllOf(StartsWith("OK"), HasSubstr("is limited to 1.0 GB")));
  MakeGroup({{"memory.max", "100000000\n"}});
  EXPECT_THAT(Memory(), AllOf(StartsWith("WARN"), HasSubstr("limited to 100 MB"),
                              HasSubstr("kernel may kill commands")));
}

TEST_F(SystemChecksTest, UnlimitedGroupOfVersionOneHasNoLimit) {
  std::filesystem::create_directories(directory_ / "self");
  std::filesystem::create_directories(directory_ / "group/job");
  Write("self/cgroup", "4:memory:/job\n");
  Write("self/mountinfo",
        "30 1 0:26 / " + directory_.path() + "/group rw - cgroup cgroup rw,memory\n");
  Write("group/job/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_FALSE(ReadGroupLimits(directory_.path()).memory_bytes.has_value());
  Write("group/job/memory.limit_in_bytes", "5000\n");
  EXPECT_EQ(ReadGroupLimits(directory_.path()).memory_bytes, 5000);
}

TEST_F(SystemChecksTest, MissingMeminfoWarns) { EXPECT_THAT(Memory(), StartsWith("WARN  memory")); }

}  // namespace
}  // namespace sparkles
