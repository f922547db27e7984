#include "base/proc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/file.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using ::testing::Contains;
using ::testing::UnorderedElementsAre;

TEST(ProcTest, OnlyNumbersAreVisited) {
  const TempDirectory directory;
  for (const char* name : {"7", "42", "self", "-1", "8a"}) {
    ASSERT_TRUE(MakeDirectories(directory / name).ok());
  }
  std::vector<int> numbers;
  EXPECT_TRUE(ForEachNumber(directory.path(), [&](int number) { numbers.push_back(number); }));
  EXPECT_THAT(numbers, UnorderedElementsAre(7, 42));
  EXPECT_FALSE(ForEachNumber(directory / "7", [](int) {})) << "an empty directory";
  EXPECT_FALSE(ForEachNumber(directory / "absent", [](int) {}));
}

TEST(ProcTest, OwnProcessIsListed) {
  std::vector<int> numbers;
  EXPECT_TRUE(ForEachNumber("/proc", [&](int number) { numbers.push_back(number); }));
  EXPECT_THAT(numbers, Contains(getpid()));
}

TEST(ProcTest, UnreadableFileLeavesErrno) {
  const TempDirectory directory;
  char buffer[16];
  EXPECT_EQ(ReadOnce(directory / "absent", buffer, sizeof buffer), "");
  EXPECT_EQ(errno, ENOENT);
  ASSERT_TRUE(WriteFileAtomically(directory / "empty", "", false).ok());
  EXPECT_EQ(ReadOnce(directory / "empty", buffer, sizeof buffer), "");
  EXPECT_EQ(errno, 0);
  ASSERT_TRUE(WriteFileAtomically(directory / "full", "text", false).ok());
  EXPECT_EQ(ReadOnce(directory / "full", buffer, sizeof buffer), "text");
}

TEST(ProcTest, NumberOfTheNamedLineIsFound) {
  constexpr char kEvents[] = "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\n";
  EXPECT_EQ(FindNumber(kEvents, "oom_kill"), 4);
  EXPECT_EQ(FindNumber(kEvents, "oom"), 3);
  EXPECT_EQ(FindNumber(kEvents, "absent"), std::nullopt);
  EXPECT_EQ(FindNumber("oom_kill x\n", "oom_kill"), std::nullopt);
  EXPECT_EQ(FindNumber("MemFree: 7 kB\nMemTotal:     12 kB\n", "MemTotal"), 12);
  EXPECT_EQ(FindNumber("MemTotal:\n", "MemTotal"), std::nullopt);
  EXPECT_EQ(FindNumber("read_bytes: -5\n", "read_bytes"), -5);
}

}  // namespace
}  // namespace sparkles
