#include "process/progress_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/directory.h"
#include "base/fd.h"
#include "base/file.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using ::testing::HasSubstr;

constexpr pid_t kRoot = 10;

// The counts of one process in /proc.
struct Counts {
  int parent = kRoot;
  char state = 'S';
  int faults = 100;
  int cpu = 5;           // ticks
  int child_cpu = 0;     // ticks
  int start = 1000;      // ticks since boot
  int rss = 50;          // pages
  int read = 4096;       // bytes, rchar
  int thread_cpu = 777;  // nanoseconds, of the second thread
};

class ProgressWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    output_ = OpenFile(directory_ / "output", O_RDWR | O_CREAT | O_APPEND).value();
    Put(1, {.parent = 0});
    Put(kRoot, {.parent = 1});
    Put(11, {});
  }

  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(MakeDirectories(DirectoryOf(proc_ / name)).ok());
    ASSERT_TRUE(WriteFileAtomically(proc_ / name, text, false).ok());
  }

  void Put(int pid, const Counts& counts) {
    Write(absl::StrCat(pid, "/stat"),
          absl::StrCat(pid, " (x) ", std::string(1, counts.state), " ", counts.parent,
                       " 1 1 0 -1 4194560 ", counts.faults, " 0 0 0 ", counts.cpu, " 0 ",
                       counts.child_cpu, " 0 20 0 1 0 ", counts.start, " 1000000 ", counts.rss,
                       " 18446744073709551615 1 1 0\n"));
    Write(absl::StrCat(pid, "/io"), absl::StrCat("rchar: ", counts.read, "\nwchar: 0\n"));
    Write(absl::StrCat(pid, "/task/", pid, "/schedstat"), "1000 2 3\n");
    Write(absl::StrCat(pid, "/task/", pid + 500, "/schedstat"),
          absl::StrCat(counts.thread_cpu, " 2 3\n"));
  }

  std::optional<uint64_t> Mark() {
    UnrelatedPids unrelated;
    return ProgressMark(proc_.path(), kRoot, unrelated);
  }

  // Whether the mark differs when process 11 has `counts`.
  bool Differs(const Counts& counts) {
    const auto before = Mark();
    Put(11, counts);
    const bool differs = Mark() != before;
    Put(11, {});
    EXPECT_EQ(Mark(), before);
    return differs;
  }

  ProgressWatch Watch(absl::Duration timeout) {
    return ProgressWatch(proc_.path(), kRoot, output_.get(), timeout);
  }
  std::string Output() const { return ReadFile(directory_ / "output", 1 << 20).value(); }

  TempDirectory proc_;
  TempDirectory directory_;
  UniqueFd output_;
};

TEST_F(ProgressWatchTest, EachKindOfWorkChangesMark) {
  EXPECT_TRUE(Differs({.faults = 101}));
  EXPECT_TRUE(Differs({.cpu = 6}));
  EXPECT_TRUE(Differs({.child_cpu = 1}));
  EXPECT_TRUE(Differs({.read = 4097}));
  EXPECT_TRUE(Differs({.thread_cpu = 778}));
  EXPECT_TRUE(Differs({.start = 1001})) << "another process with the same id";
}

TEST_F(ProgressWatchTest, IdleProcessKeepsMark) {
  EXPECT_FALSE(Differs({}));
  EXPECT_FALSE(Differs({.state = 'D'}));
  EXPECT_FALSE(Differs({.state = 'T'}));
  EXPECT_FALSE(Differs({.rss = 20})) << "the kernel takes pages from idle processes, too";
}

TEST_F(ProgressWatchTest, StartAndEndOfProcessChangeMark) {
  const auto before = Mark();
  Put(12, {.parent = 11});
  const auto started = Mark();
  EXPECT_NE(started, before);
  ASSERT_TRUE(RemoveTree(proc_ / "12").ok());
  EXPECT_EQ(Mark(), before);
}

TEST_F(ProgressWatchTest, GrandchildChangesMark) {
  Put(12, {.parent = 11});
  const auto before = Mark();
  Put(12, {.parent = 11, .cpu = 9});
  EXPECT_NE(Mark(), before);
}

TEST_F(ProgressWatchTest, UnrelatedProcessKeepsMark) {
  Put(20, {.parent = 1});
  const auto before = Mark();
  Put(20, {.parent = 1, .cpu = 9, .read = 1});
  Put(kRoot, {.parent = 1, .cpu = 9, .read = 1});  // the launcher, which samples its processes
  EXPECT_EQ(Mark(), before);
}

TEST_F(ProgressWatchTest, MissingProcGivesNoMark) {
  UnrelatedPids unrelated;
  EXPECT_EQ(ProgressMark(proc_ / "absent", kRoot, unrelated), std::nullopt);
}

class ProgressWatchLookTest : public ProgressWatchTest {
 protected:
  void SetUp() override {
    ProgressWatchTest::SetUp();
    ASSERT_EQ(symlink(absl::StrCat(getpid()).c_str(), (proc_ / "self").c_str()), 0);
  }
};

TEST_F(ProgressWatchLookTest, IdleProcessesAreNoticed) {
  ProgressWatch watch = Watch(absl::Milliseconds(50));
  EXPECT_TRUE(Eventually([&] { return watch.SeesNoProgress(); }));
  EXPECT_EQ(Output(), "");
}

TEST_F(ProgressWatchLookTest, LooksAreRare) {
  ProgressWatch watch = Watch(absl::Hours(1));
  EXPECT_LE(watch.UntilNextLook(), absl::ZeroDuration());
  EXPECT_FALSE(watch.SeesNoProgress());
  EXPECT_GT(watch.UntilNextLook(), absl::ZeroDuration());
  EXPECT_LE(watch.UntilNextLook(), absl::Seconds(10));
}

TEST_F(ProgressWatchLookTest, GrowthOfOutputIsProgress) {
  ProgressWatch watch = Watch(absl::Milliseconds(20));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(WriteAll(output_.get(), ".", "output").ok());
    EXPECT_FALSE(watch.SeesNoProgress());
    (void)poll(nullptr, 0, 2);
  }
  EXPECT_TRUE(Eventually([&] { return watch.SeesNoProgress(); }));
}

// A process that has ended can leave its id to a process of the command.
TEST_F(ProgressWatchLookTest, LastLookSeesReusedPid) {
  Put(20, {.parent = 1});
  ProgressWatch watch = Watch(absl::Milliseconds(200));
  EXPECT_FALSE(watch.SeesNoProgress());
  Put(20, {.parent = 11});
  int looks = 0;
  EXPECT_TRUE(Eventually([&] {
    if (watch.UntilNextLook() <= absl::ZeroDuration()) ++looks;
    return watch.SeesNoProgress();
  }));
  EXPECT_GT(looks, 15) << "the process was a change shortly before the timeout";
}

TEST_F(ProgressWatchLookTest, InfiniteTimeoutReadsNothing) {
  ProgressWatch watch("/absent", kRoot, output_.get(), absl::InfiniteDuration());
  EXPECT_FALSE(watch.SeesNoProgress());
  EXPECT_EQ(watch.UntilNextLook(), absl::InfiniteDuration());
  EXPECT_EQ(Output(), "");
}

TEST_F(ProgressWatchTest, ForeignProcIsReportedOnce) {
  ProgressWatch watch = Watch(absl::Milliseconds(10));  // there is no "self"
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(watch.SeesNoProgress());
    (void)poll(nullptr, 0, 2);
  }
  EXPECT_EQ(watch.UntilNextLook(), absl::InfiniteDuration());
  EXPECT_EQ(Output(), absl::StrCat("sparkles: --noProgressTimeout has no effect: ", proc_.path(),
                                   " does not show the processes of the command\n"));
}

TEST_F(ProgressWatchTest, ReportNamesTimeoutAndProcesses) {
  Write("11/comm", "sleep\n");
  Write("11/status", "Name:\tsleep\nState:\tS (sleeping)\n");
  Watch(absl::Seconds(90)).ReportWaits();
  EXPECT_THAT(Output(), HasSubstr("sparkles: no progress for 1m30s (--noProgressTimeout)"));
  EXPECT_THAT(Output(), HasSubstr("sparkles: process 11 'sleep', parent 10: S (sleeping)"));
}

}  // namespace
}  // namespace sparkles
