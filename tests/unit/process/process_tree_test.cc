#include "process/process_tree.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/directory.h"
#include "base/file.h"
#include "process/io_bytes.h"
#include "process/sample_pace.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

std::string Stat(int pid, const char* name, char state, int parent, int rss) {
  return absl::StrCat(pid, " (", name, ") ", std::string(1, state), " ", parent,
                      " 1 1 0 -1 4194560 1 0 0 0 1 2 3 4 20 0 1 0 100 1000000 ", rss,
                      " 18446744073709551615 1 1 0\n");
}

class ProcessTreeTest : public testing::Test {
 protected:
  void Add(int pid, int parent, int rss, const char* name = "x", char state = 'S') {
    ASSERT_TRUE(MakeDirectories(proc_ / absl::StrCat(pid)).ok());
    ASSERT_TRUE(WriteFileAtomically(proc_ / absl::StrCat(pid, "/stat"),
                                    Stat(pid, name, state, parent, rss), false)
                    .ok());
  }
  std::optional<TreeUsage> Measure() { return MeasureTree(proc_.path(), 10, unrelated_); }

  UnrelatedPids unrelated_;
  int64_t page_kb_ = sysconf(_SC_PAGESIZE) / 1024;
  TempDirectory proc_;
};

TEST(ParseProcessStatTest, NameMayHoldParenthesesAndSpaces) {
  const auto entry = ParseProcessStat(Stat(5, ") R 1 (", 'Z', 77, 3));
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->parent, 77);
  EXPECT_EQ(entry->rss_pages, 3);
  EXPECT_TRUE(entry->zombie);
}

TEST(ParseProcessStatTest, MalformedTextIsRefused) {
  for (const char* text :
       {"", "1", "1 (x", "1 (x) S", "1 (x) S x 1 1 0 -1 4194560 1 0 0 0 1 2 3"}) {
    EXPECT_FALSE(ParseProcessStat(text).has_value()) << text;
  }
}

TEST_F(ProcessTreeTest, OnlyDescendantsOfRootCount) {
  Add(10, 1, 1000);  // the root
  Add(11, 10, 5);
  Add(12, 11, 7);
  Add(13, 12, 0, "dead", 'Z');
  Add(20, 1, 9999);  // an unrelated process and its child
  Add(21, 20, 9999);
  const auto usage = Measure();
  ASSERT_TRUE(usage.has_value());
  EXPECT_EQ(usage->processes, 2);
  EXPECT_EQ(usage->rss_kb, 12 * page_kb_);
}

TEST_F(ProcessTreeTest, UnrelatedProcessesAreReadOnce) {
  Add(1, 0, 10);
  Add(2, 1, 10);  // the worker
  Add(10, 2, 1000);
  Add(11, 10, 5);
  Add(20, 1, 10);
  Add(21, 20, 10);
  Add(30, 29, 10);  // its parent has ended, so its tree is unknown
  EXPECT_EQ(Measure()->processes, 1);
  EXPECT_EQ(unrelated_, UnrelatedPids({1, 2, 20, 21}));
  Add(20, 10, 7);  // must not be read again
  Add(22, 21, 10);
  Add(12, 11, 5);
  Add(30, 10, 5);
  EXPECT_EQ(Measure()->processes, 3);
  EXPECT_EQ(unrelated_, UnrelatedPids({1, 2, 20, 21, 22}));
}

TEST_F(ProcessTreeTest, CircularParentsAreTolerated) {
  Add(11, 12, 5);
  Add(12, 11, 7);
  EXPECT_EQ(Measure()->processes, 0);
}

TEST_F(ProcessTreeTest, MissingProcGivesNothing) {
  EXPECT_FALSE(MeasureTree(proc_ / "absent", 10, unrelated_).has_value());
  TreeSampler sampler(proc_ / "absent", 10);
  sampler.SampleIfDue();
  EXPECT_EQ(sampler.peak().processes, 0);
}

TEST(SamplePaceTest, PaceSlowsToOncePerSecond) {
  absl::Duration at;
  for (int i = 0; i < 5; ++i) at += SamplePace(i);
  EXPECT_EQ(at, absl::Seconds(1));
  EXPECT_LE(SamplePace(0) + SamplePace(1) + SamplePace(2), absl::Milliseconds(200));
  EXPECT_EQ(SamplePace(5), absl::Seconds(1));
  EXPECT_EQ(SamplePace(1'000'000), absl::Seconds(1));
}

TEST(SamplePaceTest, SlowSamplesBecomeRare) {
  EXPECT_EQ(SamplePause(0, absl::Seconds(1)), absl::ZeroDuration());
  EXPECT_EQ(SamplePause(5, absl::Milliseconds(50)), absl::Seconds(125));
}

TEST(IoBytesTest, ReadAndWrittenBytesAreParsed) {
  const IoBytes bytes = ParseIoBytes(
      "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 4096\nwrite_bytes: 8192\n"
      "cancelled_write_bytes: 1\n");
  EXPECT_EQ(bytes.read, 4096);
  EXPECT_EQ(bytes.written, 8192);
  EXPECT_EQ(ParseIoBytes("garbage").read, 0);
}

}  // namespace
}  // namespace sparkles
