#include "monitor/output_table.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

class OutputTableTest : public testing::Test {
 protected:
  // Runs a task that prints `bytes` bytes and ends, and removes its log file.
  void RunTask(const std::string& id, size_t bytes = 5) {
    Start(id, bytes);
    unlink(Path(id).c_str());
    table_.End(id);
  }

  void Start(const std::string& id, size_t bytes = 5) {
    ASSERT_TRUE(WriteFileAtomically(Path(id), std::string(bytes, 'x'), false).ok());
    ASSERT_TRUE(table_.Add(id, Path(id)).ok());
  }

  std::string Path(const std::string& id) const { return directory_ / id; }
  bool Readable(const std::string& id) { return table_.Find(id) != nullptr; }

  std::string Content(const std::string& id) {
    const auto log = table_.Find(id);
    char text[100];
    const ssize_t got = log ? pread(log->fd(), text, sizeof text, 0) : -1;
    return got < 0 ? "(none)" : std::string(text, static_cast<size_t>(got));
  }

  TempDirectory directory_;
  FakeClock clock_;
  OutputTable table_{clock_, {absl::Minutes(10), 3, 20'000}};
};

TEST_F(OutputTableTest, RunningLogIsReadWhileGrowing) {
  Start("a", 0);
  EXPECT_EQ(Content("a"), "");
  EXPECT_FALSE(table_.Find("a")->ended());
  ASSERT_EQ(truncate(Path("a").c_str(), 3), 0);
  EXPECT_EQ(Content("a"), std::string(3, '\0'));
}

TEST_F(OutputTableTest, UnknownTaskHasNoLog) {
  EXPECT_FALSE(Readable(""));
  table_.End("a");
  EXPECT_FALSE(Readable("a"));
}

TEST_F(OutputTableTest, EndedLogOutlivesTaskDirectory) {
  RunTask("a");
  EXPECT_EQ(Content("a"), "xxxxx");
  EXPECT_TRUE(table_.Find("a")->ended());
}

TEST_F(OutputTableTest, ReplacedLogFileIsIgnored) {
  Start("a");
  ASSERT_TRUE(WriteFileAtomically(Path("a"), "other", false).ok());
  EXPECT_EQ(Content("a"), "xxxxx");
}

TEST_F(OutputTableTest, EndedLogExpiresAfterTenMinutes) {
  RunTask("a");
  clock_.Advance(absl::Minutes(10) - absl::Seconds(1));
  EXPECT_TRUE(Readable("a"));
  clock_.Advance(absl::Seconds(1));
  EXPECT_FALSE(Readable("a"));
}

TEST_F(OutputTableTest, RunningLogNeverExpires) {
  Start("a");
  clock_.Advance(absl::Hours(1000));
  EXPECT_TRUE(Readable("a"));
}

TEST_F(OutputTableTest, CountLimitDropsOldestLog) {
  for (const std::string id : {"a", "b", "c", "d"}) RunTask(id);
  EXPECT_FALSE(Readable("a"));
  for (const std::string id : {"b", "c", "d"}) EXPECT_TRUE(Readable(id)) << id;
}

TEST_F(OutputTableTest, SizeLimitDropsOldestLogs) {
  RunTask("a", 8000);
  RunTask("b", 8000);
  EXPECT_TRUE(Readable("a"));
  RunTask("c", 8000);
  EXPECT_FALSE(Readable("a"));
  EXPECT_TRUE(Readable("b") && Readable("c"));
}

TEST_F(OutputTableTest, OversizedLogIsDroppedAlone) {
  RunTask("a");
  RunTask("b", 30'000);
  EXPECT_FALSE(Readable("b"));
  EXPECT_TRUE(Readable("a"));
}

TEST_F(OutputTableTest, LogCountsOnceDirectoryIsRemoved) {
  for (const std::string id : {"a", "b", "c"}) {
    Start(id, id == "b" ? 30'000 : 12'000);
    table_.End(id);
  }
  EXPECT_TRUE(Readable("a") && Readable("b") && Readable("c"));
  for (const std::string id : {"a", "b", "c"}) unlink(Path(id).c_str());
  table_.DropOld();
  EXPECT_FALSE(Readable("a") || Readable("b"));
  EXPECT_TRUE(Readable("c"));
}

TEST_F(OutputTableTest, KeptDirectoryDoesNotCount) {
  Start("a", 30'000);
  table_.End("a");
  EXPECT_TRUE(Readable("a"));
}

TEST_F(OutputTableTest, SecondAttemptReplacesFirst) {
  RunTask("a");
  Start("a", 2);
  EXPECT_EQ(Content("a"), "xx");
  EXPECT_FALSE(table_.Find("a")->ended());
  unlink(Path("a").c_str());
  table_.End("a");
  EXPECT_EQ(Content("a"), "xx");
}

TEST_F(OutputTableTest, OnlyRegularFilesAreOpened) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  ASSERT_EQ(symlink("/etc/passwd", Path("link").c_str()), 0);
  for (const std::string name : {"fifo", "link", "missing", "."}) {
    EXPECT_FALSE(table_.Add("a", Path(name)).ok()) << name;
  }
  EXPECT_FALSE(Readable("a"));
}

TEST_F(OutputTableTest, HeldLogOutlivesTableEntry) {
  RunTask("a");
  const auto log = table_.Find("a");
  for (const std::string id : {"b", "c", "d"}) RunTask(id);
  ASSERT_FALSE(Readable("a"));
  char text[10];
  EXPECT_EQ(pread(log->fd(), text, sizeof text, 0), 5);
}

TEST_F(OutputTableTest, TasksMayEndDuringReads) {
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        const std::string text = Content(absl::StrCat(round % 40));
        EXPECT_TRUE(text == "(none)" || text == "xxxxx") << text;
      }
    });
  }
  for (int id = 0; id < 40; ++id) RunTask(absl::StrCat(id));
  for (std::thread& reader : readers) reader.join();
}

TEST_F(OutputTableTest, LastReaderCountsEndedLogsOnly) {
  Start("a");
  Start("b");
  clock_.Advance(absl::Minutes(1));
  table_.Find("a")->RecordUnfinishedRead(clock_.Now());
  EXPECT_LT(table_.LastUnfinishedRead(), clock_.Now() - absl::Hours(1)) << "the log has not ended";
  table_.End("a");
  EXPECT_EQ(table_.LastUnfinishedRead(), clock_.Now());
  table_.End("b");
  EXPECT_EQ(table_.LastUnfinishedRead(), clock_.Now());
}

}  // namespace
}  // namespace sparkles
