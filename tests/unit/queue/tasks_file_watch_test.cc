#include "queue/tasks_file_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Line(const std::string& id) {
  return absl::StrCat("{\"task_id\": \"", id, "\", \"args\": {}}\n");
}

std::vector<std::string> IdsOf(const std::vector<FileTask>& tasks) {
  std::vector<std::string> ids;
  for (const FileTask& task : tasks) ids.push_back(task.task.id);
  return ids;
}

class TasksFileWatchTest : public testing::Test {
 protected:
  // Replaces the file, as an editor does.
  void Write(const std::string& text) { ASSERT_TRUE(WriteFileAtomically(path_, text, false).ok()); }
  // Writes at the end of the file, or over it.
  void WriteInPlace(int flags, const std::string& text) {
    const auto fd = OpenFile(path_, O_WRONLY | flags);
    ASSERT_TRUE(fd.ok() && WriteAll(fd->get(), text, path_).ok());
  }
  void Append(const std::string& text) { WriteInPlace(O_APPEND, text); }
  std::vector<std::string> Read() {
    const auto file = watch_.Read();
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? IdsOf(file->tasks) : std::vector<std::string>();
  }
  std::string StatusText() { return std::string(watch_.status().message()); }

  TempDirectory directory_;
  const std::string path_ = directory_ / "tasks.json";
  FakeClock clock_;
  TasksFileWatch watch_{path_, clock_};
};

TEST_F(TasksFileWatchTest, UnchangedFileHasNoUpdate) {
  Write("[" + Line("a") + "]");
  EXPECT_THAT(Read(), ElementsAre("a"));
  EXPECT_FALSE(watch_.Poll());
  Write("[" + Line("a") + "]");
  EXPECT_FALSE(watch_.Poll()) << "another file with the same text";
  EXPECT_TRUE(watch_.status().ok());
}

TEST_F(TasksFileWatchTest, ReplacedArrayIsReadAgain) {
  Write("[" + Line("a") + "]");
  Read();
  Write("[" + Line("a") + "," + Line("b") + "]");
  const auto update = watch_.Poll();
  ASSERT_TRUE(update);
  EXPECT_FALSE(update->appended);
  EXPECT_THAT(IdsOf(update->tasks), ElementsAre("a", "b"));
  EXPECT_FALSE(watch_.Poll());
}

TEST_F(TasksFileWatchTest, OnlyAppendedLinesAreParsed) {
  Write(Line("a"));
  Read();
  Append(Line("b") + Line("c"));
  const auto update = watch_.Poll();
  ASSERT_TRUE(update);
  EXPECT_TRUE(update->appended);
  EXPECT_THAT(IdsOf(update->tasks), ElementsAre("b", "c"));
}

TEST_F(TasksFileWatchTest, AppendedDuplicateIdIsRefused) {
  Write(Line("a"));
  Read();
  Append("\n" + Line("a"));
  const auto update = watch_.Poll();
  ASSERT_TRUE(update);
  EXPECT_THAT(update->tasks, IsEmpty());
  EXPECT_THAT(update->problems,
              ElementsAre("line 3 (task_id \"a\"): task_id: is already used by line 1"));
  EXPECT_TRUE(watch_.has_problems());
}

TEST_F(TasksFileWatchTest, IncompleteLineIsAwaited) {
  Write(Line("a"));
  Read();
  const std::string line = Line("b");
  Append(line.substr(0, 12));
  const auto nothing = watch_.Poll();
  EXPECT_TRUE(!nothing || nothing->tasks.empty());
  EXPECT_TRUE(absl::IsUnavailable(watch_.status())) << watch_.status();
  EXPECT_THAT(StatusText(), HasSubstr(path_ + ": line 2: is not complete"));
  Append(line.substr(12));
  const auto update = watch_.Poll();
  ASSERT_TRUE(update);
  EXPECT_THAT(IdsOf(update->tasks), ElementsAre("b"));
  EXPECT_TRUE(watch_.status().ok());
  EXPECT_FALSE(watch_.has_problems());
}

TEST_F(TasksFileWatchTest, LastingIncompleteLineIsProblem) {
  Write(Line("a") + "{\"task_id");
  EXPECT_THAT(Read(), ElementsAre("a"));
  EXPECT_TRUE(absl::IsUnavailable(watch_.status()));
  clock_.Advance(absl::Seconds(10));
  const auto update = watch_.Poll();
  ASSERT_TRUE(update);
  EXPECT_THAT(update->problems, ElementsAre(HasSubstr("line 2: is not complete")));
  EXPECT_TRUE(watch_.status().ok());
  EXPECT_TRUE(watch_.has_problems());
}

TEST_F(TasksFileWatchTest, LateCompletedLineIsAccepted) {
  const std::string line = Line("b");
  Write(Line("a") + line.substr(0, 12));
  Read();
  clock_.Advance(absl::Seconds(10));
  EXPECT_TRUE(watch_.Poll());
  Append(line.substr(12));
  const auto update = watch_.Poll();
  ASSERT_TRUE(update);
  EXPECT_THAT(IdsOf(update->tasks), ElementsAre("b"));
  EXPECT_FALSE(watch_.has_problems());
}

TEST_F(TasksFileWatchTest, BrokenFileIsErrorUntilRepaired) {
  Write("[" + Line("a") + "]");
  Read();
  Write("[" + Line("a") + ",");
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(watch_.Poll());
    EXPECT_TRUE(absl::IsUnavailable(watch_.status()));
    EXPECT_THAT(StatusText(), HasSubstr(path_ + ": is not valid JSON at line 2, column 2"));
  }
  Write("[" + Line("a") + "," + Line("b") + "]");
  EXPECT_TRUE(watch_.Poll());
  EXPECT_TRUE(watch_.status().ok());
}

TEST_F(TasksFileWatchTest, MissingFileIsErrorUntilRestored) {
  Write("[" + Line("a") + "]");
  Read();
  ASSERT_EQ(unlink(path_.c_str()), 0);
  EXPECT_FALSE(watch_.Poll());
  EXPECT_EQ(StatusText(), path_ + ": No such file or directory");
  Write("[" + Line("a") + "]");
  EXPECT_FALSE(watch_.Poll()) << "the same content as before";
  EXPECT_TRUE(watch_.status().ok());
}

// The state file is beside the first target of the link, so another target needs another state.
TEST_F(TasksFileWatchTest, LinkToAnotherFileIsRefused) {
  const auto link_to = [&](const std::string& name) {
    ASSERT_TRUE(WriteFileAtomically(directory_ / name, "[" + Line(name) + "]", false).ok());
    ASSERT_TRUE(unlink(path_.c_str()) == 0 || errno == ENOENT);
    ASSERT_EQ(symlink(name.c_str(), path_.c_str()), 0);
  };
  link_to("a");
  EXPECT_THAT(Read(), ElementsAre("a"));
  link_to("b");
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(watch_.Poll());
    EXPECT_TRUE(absl::IsFailedPrecondition(watch_.status())) << watch_.status();
  }
  link_to("a");
  EXPECT_FALSE(watch_.Poll());
  EXPECT_TRUE(watch_.status().ok());
}

// While a program rewrites the file, the lines so far look like a whole file.
TEST_F(TasksFileWatchTest, RewrittenLinesAreUsedOnceComplete) {
  Write(Line("a") + Line("b"));
  Read();
  WriteInPlace(O_TRUNC, Line("b"));
  EXPECT_FALSE(watch_.Poll());
  EXPECT_TRUE(absl::IsAborted(watch_.status())) << watch_.status();
  Append(Line("c"));
  clock_.Advance(absl::Seconds(2));
  const auto update = watch_.Poll();
  ASSERT_TRUE(update);
  EXPECT_FALSE(update->appended);
  EXPECT_THAT(IdsOf(update->tasks), ElementsAre("b", "c"));
  EXPECT_TRUE(watch_.status().ok());
}

TEST_F(TasksFileWatchTest, RepairClearsProblem) {
  Write("[7," + Line("a") + "]");
  Read();
  EXPECT_TRUE(watch_.has_problems());
  Write("[7, 8," + Line("a") + "]");
  const auto update = watch_.Poll();
  ASSERT_TRUE(update);
  EXPECT_THAT(update->problems, ElementsAre("tasks[1]: must be a JSON object")) << "once each";
  Write("[" + Line("a") + "]");
  EXPECT_TRUE(watch_.Poll());
  EXPECT_FALSE(watch_.has_problems());
}

}  // namespace
}  // namespace sparkles
