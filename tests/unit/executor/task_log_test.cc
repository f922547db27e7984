#include "executor/task_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "base/file.h"
#include "base/status.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

class TaskLogTest : public testing::Test {
 protected:
  std::string Text() const { return ReadFile(directory_ / kTaskLogName, 1000).value(); }

  TempDirectory directory_;
};

TEST_F(TaskLogTest, WorkerLinesHavePrefix) {
  auto log = TaskLog::Create(directory_.path());
  ASSERT_TRUE(log.ok() && log->AddLine("one").ok() && log->AddLine("two").ok());
  EXPECT_EQ(Text(), "sparkles: one\nsparkles: two\n");
}

TEST_F(TaskLogTest, WorkerLineStartsOnNewLine) {  // D44
  auto log = TaskLog::Create(directory_.path());
  ASSERT_TRUE(WriteAll(log->fd(), "50%", "x").ok() && log->AddLine("killed").ok());
  EXPECT_EQ(Text(), "50%\nsparkles: killed\n");
}

TEST_F(TaskLogTest, FinishedLineGetsNoEmptyLine) {
  auto log = TaskLog::Create(directory_.path());
  ASSERT_TRUE(WriteAll(log->fd(), "done\n", "x").ok() && log->AddLine("killed").ok());
  EXPECT_EQ(Text(), "done\nsparkles: killed\n");
}

TEST_F(TaskLogTest, WorkerLineEscapesLineBreaks) {
  auto log = TaskLog::Create(directory_.path());
  ASSERT_TRUE(log->AddLine("a\nforged\xFF").ok());
  EXPECT_EQ(Text(), "sparkles: a\\nforged\\xff\n");
}

TEST_F(TaskLogTest, WritesAppendDespiteSeek) {  // D43
  auto log = TaskLog::Create(directory_.path());
  ASSERT_TRUE(WriteAll(log->fd(), "long output\n", "x").ok());
  ASSERT_EQ(lseek(log->fd(), 0, SEEK_SET), 0);
  ASSERT_TRUE(WriteAll(log->fd(), "more\n", "x").ok());
  EXPECT_EQ(Text(), "long output\nmore\n");
}

TEST_F(TaskLogTest, ExistingFileIsMachineFault) {
  ASSERT_TRUE(WriteFileAtomically(directory_ / kTaskLogName, "old", false).ok());
  EXPECT_TRUE(IsMachineFault(TaskLog::Create(directory_.path()).status()));
  EXPECT_EQ(Text(), "old");
}

}  // namespace
}  // namespace sparkles
