#include "process/wait_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr pid_t kRoot = 10;

class WaitReportTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(MakeDirectories(DirectoryOf(proc_ / name)).ok());
    ASSERT_TRUE(WriteFileAtomically(proc_ / name, text, false).ok());
  }

  void Add(int pid, int parent, const std::string& name,
           const std::string& state = "S (sleeping)") {
    Write(absl::StrCat(pid, "/stat"),
          absl::StrCat(pid, " (x) ", state.substr(0, 1), " ", parent,
                       " 1 1 0 -1 4194560 1 0 0 0 1 2 3 4 20 0 1 0 100 1000000 5 1 1 1 0\n"));
    AddThread(absl::StrCat(pid), name, state);
    AddThread(absl::StrCat(pid, "/task/", pid), name, state);
  }

  void AddThread(const std::string& directory, const std::string& name, const std::string& state) {
    Write(directory + "/comm", name + "\n");
    Write(directory + "/status", absl::StrCat("Name:\t", name, "\nState:\t", state, "\n"));
  }

  std::vector<std::string> Report() {
    std::vector<std::string> lines;
    AddWaits(proc_.path(), kRoot, lines);
    return lines;
  }

  TempDirectory proc_ = TempDirectory::InMemory();
};

TEST_F(WaitReportTest, ProcessesAndThreadsAreDescribed) {
  Add(11, kRoot, "sh");
  Add(12, 11, "reader", "D (disk sleep)");
  Write("12/wchan", "nfs_wait_bit_killable");
  Write("12/syscall", "0 0x3 0x7f");
  Write("12/stack", "[<0>] nfs_wait+0x1/0x2\n[<0>] vfs_read+0x3/0x4\n");
  AddThread("12/task/13", "helper", "S (sleeping)");
  Add(20, 1, "unrelated");
  EXPECT_THAT(Report(), ElementsAre("process 11 'sh', parent 10: S (sleeping)",
                                    "process 12 'reader', parent 11: D (disk sleep), waits in "
                                    "nfs_wait_bit_killable, system call 0, kernel stack: "
                                    "nfs_wait+0x1/0x2 < vfs_read+0x3/0x4",
                                    "  thread 13 'helper': S (sleeping)"));
}

TEST_F(WaitReportTest, ZombiesAreLast) {
  Add(11, kRoot, "dead", "Z (zombie)");
  Add(12, kRoot, "sh");
  EXPECT_THAT(Report(), ElementsAre("process 12 'sh', parent 10: S (sleeping)",
                                    "process 11 'dead', parent 10: Z (zombie)"));
}

TEST_F(WaitReportTest, ProcessesAndThreadsAreLimited) {
  for (int pid = 1001; pid <= 1052; ++pid) Add(pid, kRoot, "x");
  for (int thread = 1; thread <= 23; ++thread) {
    AddThread(absl::StrCat("1001/task/", 5000 + thread), "t", "S (sleeping)");
  }
  const std::vector<std::string> lines = Report();
  EXPECT_THAT(lines, SizeIs(1 + 20 + 1 + 49 + 1));
  EXPECT_EQ(lines[21], "  ... and 3 more threads");
  EXPECT_EQ(lines.back(), "... and 2 more processes");
}

TEST_F(WaitReportTest, BytesAreLimited) {
  for (int pid = 1001; pid <= 1050; ++pid) {
    Add(pid, kRoot, "x");
    for (int thread = 1; thread <= 2; ++thread) {
      const std::string directory = absl::StrCat(pid, "/task/", pid * 10 + thread);
      AddThread(directory, "t", "S (sleeping)");
      Write(directory + "/stack", std::string(5000, 'f'));
    }
  }
  const std::vector<std::string> lines = Report();
  size_t bytes = 0;
  for (const std::string& line : lines) {
    EXPECT_LE(line.size(), 1000);
    bytes += line.size();
  }
  EXPECT_LE(bytes, 65536);
  EXPECT_EQ(lines.back(), "... and more");
}

TEST_F(WaitReportTest, MissingProcGivesNoLine) {
  std::vector<std::string> lines;
  AddWaits(proc_ / "absent", kRoot, lines);
  EXPECT_THAT(lines, IsEmpty());
}

}  // namespace
}  // namespace sparkles
