#include "process/oom_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/directory.h"
#include "base/file.h"
#include "process/monotonic.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

TEST(FindOomCounterTest, Version2CounterPathIsFound) {
  constexpr char kMounts[] =
      "24 30 0:22 / /proc rw,nosuid - proc proc rw\n"
      "31 24 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
  EXPECT_EQ(FindOomCounter("0::/system.slice/x.service\n", kMounts),
            "/sys/fs/cgroup/system.slice/x.service/memory.events");
  EXPECT_EQ(FindOomCounter("0::/\n", kMounts), "/sys/fs/cgroup/memory.events");
}

TEST(FindOomCounterTest, Version1CounterPathIsFound) {
  constexpr char kGroups[] = "9:name=systemd:/\n4:cpu,memory:/docker/12ab\n0::/\n";
  EXPECT_EQ(FindOomCounter(kGroups,
                           "31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory,cpu\n"
                           "32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"),
            "/sys/fs/cgroup/memory/docker/12ab/memory.oom_control");
  EXPECT_EQ(FindOomCounter(kGroups,
                           "31 24 0:27 /docker/12ab /sys/fs/cgroup/memory ro shared:9 - cgroup "
                           "cgroup rw,memory\n"),
            "/sys/fs/cgroup/memory/memory.oom_control");
}

TEST(FindOomCounterTest, MissingCounterGivesNothing) {
  EXPECT_FALSE(FindOomCounter("", "").has_value());
  EXPECT_FALSE(FindOomCounter("garbage\n::\n", "garbage - \n1 2 3\n").has_value());
  EXPECT_FALSE(FindOomCounter("0::/x\n", "1 2 0:1 / /proc rw - proc proc rw\n").has_value());
  EXPECT_FALSE(FindOomCounter("4:memory:/a\n",
                              "31 24 0:27 /b /sys/fs/cgroup/memory rw - cgroup c rw,memory\n")
                   .has_value())
      << "the mount has another group";
}

TEST(KilledProcessTest, VictimIsReadFromKernelRecord) {
  EXPECT_EQ(KilledProcessOf("3,1234,5678,-;Out of memory: Killed process 42 (python3) "
                            "total-vm:9kB, anon-rss:8kB\n SUBSYSTEM=x\n"),
            "Killed process 42 (python3) total-vm:9kB, anon-rss:8kB");
  EXPECT_TRUE(
      KilledProcessOf("3,1,2,-;Memory cgroup out of memory: Killed process 1 (a)").has_value());
  EXPECT_FALSE(KilledProcessOf("6,1,2,-;usb 1-1: new device").has_value());
}

class OomWatchTest : public testing::Test {
 protected:
  OomWatchTest() {
    EXPECT_TRUE(MakeDirectories(directory_ / "proc/self").ok());
    EXPECT_TRUE(MakeDirectories(directory_ / "proc/sys/kernel/random").ok());
    Write("proc/sys/kernel/random/boot_id", "boot-1\n");
    Write("proc/self/cgroup", "0::/\n");
    Write("proc/self/mountinfo",
          absl::StrCat("31 24 0:27 / ", directory_.path(), " rw - cgroup2 cgroup2 rw\n"));
    Write("memory.events", "oom 9\noom_kill 7\n");
    Write("proc/vmstat", "pgfault 1\noom_kill 20\n");
    Write("kmsg", "");
  }
  void Write(const std::string& name, absl::string_view text) {
    ASSERT_TRUE(WriteFileAtomically(directory_ / name, text, false).ok());
  }

  // Changes the content and keeps the inode, as the kernel does with its files.
  void Overwrite(const std::string& name, absl::string_view text) {
    const auto file = OpenFile(directory_ / name, O_WRONLY | O_TRUNC);
    ASSERT_TRUE(file.ok() && WriteAll(file->get(), text, name).ok());
  }

  TempDirectory directory_;
};

TEST_F(OomWatchTest, OnlyKillsDuringCommandCount) {
  OomWatch watch(directory_ / "proc", directory_ / "kmsg");
  watch.Begin();
  const OomKills none = watch.End();
  EXPECT_EQ(none.in_group, 0);
  EXPECT_EQ(none.on_machine, 0);
  Write("memory.events", "oom 10\noom_kill 9\n");
  Write("proc/vmstat", "pgfault 1\noom_kill 23\n");
  const OomKills kills = watch.End();
  EXPECT_EQ(kills.in_group, 2);
  EXPECT_EQ(kills.on_machine, 3);
  EXPECT_EQ(kills.victim, "") << "the kernel log has no record";
  watch.Begin();
  EXPECT_EQ(watch.End().on_machine, 0) << "the next command starts at 0";
}

TEST_F(OomWatchTest, LastKillTimeIsKept) {
  OomWatch watch(directory_ / "proc", directory_ / "kmsg");
  watch.Begin();
  watch.Poll();
  EXPECT_FALSE(watch.last_kill().has_value());
  Write("memory.events", "oom 10\noom_kill 8\n");
  const absl::Duration before = MonotonicNow();
  watch.Poll();
  ASSERT_TRUE(watch.last_kill().has_value());
  EXPECT_GE(*watch.last_kill(), before);
  EXPECT_LE(*watch.last_kill(), MonotonicNow());
  const absl::Duration seen = *watch.last_kill();
  watch.Poll();
  EXPECT_EQ(watch.last_kill(), seen);
  EXPECT_EQ(watch.End().in_group, 1);
  watch.Begin();
  EXPECT_EQ(watch.last_kill(), seen);
}

using OomMarkTest = OomWatchTest;

TEST_F(OomMarkTest, KillsInTheGroupAreCounted) {
  const std::string mark = OomMark(directory_ / "proc");
  EXPECT_EQ(OomKillsSince(mark, directory_ / "proc"), "");
  Overwrite("memory.events", "oom 9\noom_kill 9\n");
  Write("proc/vmstat", "pgfault 1\noom_kill 25\n");
  EXPECT_EQ(OomKillsSince(mark, directory_ / "proc"),
            "out of memory: processes that the kernel has killed since then: 2 in its control "
            "group");
}

TEST_F(OomMarkTest, NewGroupUsesMachineCount) {
  const std::string mark = OomMark(directory_ / "proc");
  Write("memory.events", "oom 9\noom_kill 100\n");  // another file of that name
  EXPECT_EQ(OomKillsSince(mark, directory_ / "proc"), "");
  Write("proc/vmstat", "pgfault 1\noom_kill 25\n");
  EXPECT_EQ(OomKillsSince(mark, directory_ / "proc"),
            "out of memory: processes that the kernel has killed since then: 5 on this machine");
}

TEST_F(OomMarkTest, RebootOrMalformedMarkGivesNothing) {
  const std::string mark = OomMark(directory_ / "proc");
  Write("proc/vmstat", "pgfault 1\noom_kill 25\n");
  for (const char* bad : {"", "x", "1 2 3", "boot-1 1:2 - -", "boot-1 1:2 x y"}) {
    EXPECT_EQ(OomKillsSince(bad, directory_ / "proc"), "") << bad;
  }
  Write("proc/sys/kernel/random/boot_id", "boot-2\n");
  EXPECT_EQ(OomKillsSince(mark, directory_ / "proc"), "");
  EXPECT_EQ(OomKillsSince(OomMark(directory_ / "absent"), directory_ / "absent"), "");
}

TEST_F(OomWatchTest, MissingCountersReportNoKills) {
  OomWatch watch(directory_ / "absent", directory_ / "absent");
  watch.Begin();
  const OomKills kills = watch.End();
  EXPECT_EQ(kills.in_group, 0);
  EXPECT_EQ(kills.on_machine, 0);
}

TEST_F(OomWatchTest, KnownIsFalseWithoutCounters) {
  OomWatch watch(directory_ / "proc", directory_ / "kmsg");
  watch.Begin();
  EXPECT_TRUE(watch.End().known);
  Write("proc/vmstat", "pgfault 1\n");
  EXPECT_TRUE(watch.End().known) << "the group has a counter";
  Write("memory.events", "");
  const OomKills kills = watch.End();
  EXPECT_FALSE(kills.known);
  EXPECT_EQ(kills.on_machine, 0);
  watch.Begin();
  Write("proc/vmstat", "oom_kill 20\n");
  EXPECT_EQ(watch.End().on_machine, 0) << "the kill may be older than the command";
}

}  // namespace
}  // namespace sparkles
