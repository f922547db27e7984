#include "base/log_line.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <string>

#include "base/fd.h"
#include "base/file.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

class LogLineTest : public testing::Test {
 protected:
  UniqueFd Open(int mode) {
    return OpenFile(directory_ / "log", mode | O_CREAT | O_APPEND).value();
  }
  std::string Text() const { return ReadFile(directory_ / "log", 1000).value(); }

  TempDirectory directory_;
};

TEST_F(LogLineTest, LinesAreAppendedAfterUnfinishedLine) {
  const UniqueFd fd = Open(O_RDWR);
  ASSERT_TRUE(WriteAll(fd.get(), "50%", "x").ok());
  ASSERT_TRUE(AppendLogLines(fd.get(), {"one", "two\nforged"}, "x").ok());
  EXPECT_EQ(Text(), "50%\nsparkles: one\nsparkles: two\\nforged\n");
}

TEST_F(LogLineTest, UnreadableLogGetsLines) {
  const UniqueFd fd = Open(O_WRONLY);
  ASSERT_TRUE(WriteAll(fd.get(), "done\n", "x").ok());
  ASSERT_TRUE(AppendLogLines(fd.get(), {"one"}, "x").ok());
  EXPECT_EQ(Text(), "done\nsparkles: one\n");
}

TEST_F(LogLineTest, FailedWriteNamesLog) {
  const UniqueFd fd = Open(O_RDONLY);
  const absl::Status status = AppendLogLines(fd.get(), {"one"}, "the log");
  EXPECT_EQ(status.message().find("the log: "), 0u) << status;
}

}  // namespace
}  // namespace sparkles
