#include "base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/support/fake_clock.h"
#include "tests/support/recorded_log.h"
#include "tests/support/temp_directory.h"
#include "tests/support/terminal.h"

namespace sparkles {
namespace {

using testing::HasSubstr;
using testing::Not;

const absl::Time kNoon = absl::FromUnixMillis(1'769'860'800'123);

TEST(FormatLogLineTest, TextLineHasAllFields) {
  EXPECT_EQ(FormatLogLine(LogFormat::kText, Severity::kInfo, kNoon, "job.1", "complete"),
            "2026-01-31T12:00:00.123Z INFO    [job.1] complete\n");
  EXPECT_EQ(FormatLogLine(LogFormat::kText, Severity::kWarning, kNoon, "", "slow"),
            "2026-01-31T12:00:00.123Z WARNING slow\n");
}

TEST(FormatLogLineTest, ControlCharactersAreEscaped) {
  EXPECT_EQ(FormatLogLine(LogFormat::kText, Severity::kError, kNoon, "a\nb", "x\ny\x1b[2J\xFF"),
            "2026-01-31T12:00:00.123Z ERROR   [a\\nb] x\\ny\\x1b[2J\\xff\n");
}

TEST(FormatLogLineTest, JsonUsesCloudLoggingFields) {
  const std::string line =
      FormatLogLine(LogFormat::kJson, Severity::kDebug, kNoon, "job.1", "a \"b\"\nc\xFF");
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_EQ(ParseJson(line).value(), (Json{{"severity", "DEBUG"},
                                           {"time", "2026-01-31T12:00:00.123Z"},
                                           {"message", "a \"b\"\nc\xEF\xBF\xBD"},
                                           {"task_id", "job.1"}}));
}

TEST(FormatLogLineTest, JsonOmitsTaskIdWhenAbsent) {
  const std::string line = FormatLogLine(LogFormat::kJson, Severity::kInfo, kNoon, "", "x");
  EXPECT_FALSE(ParseJson(line).value().contains("task_id"));
}

TEST(LogTest, MessagesJoinPartsAndNameTask) {
  RecordedLog recorded;
  recorded.log().WithTask("job.7").Info("exit code ", 3);
  recorded.log().Debug("d");
  recorded.log().Warning("w");
  recorded.log().Error("e");
  EXPECT_EQ(recorded.Text(),
            "2026-01-31T12:00:00.000Z INFO    [job.7] exit code 3\n"
            "2026-01-31T12:00:00.000Z DEBUG   d\n"
            "2026-01-31T12:00:00.000Z WARNING w\n"
            "2026-01-31T12:00:00.000Z ERROR   e\n");
}

TEST(LogTest, LinesBelowThresholdAreDropped) {
  const TempDirectory directory;
  FakeClock clock;
  const auto fd = OpenFile(directory / "log", O_CREAT | O_WRONLY);
  LogSink sink(clock, fd->get(), LogFormat::kText, Severity::kWarning);
  const Log log(sink);
  log.Debug("dropped");
  log.Info("dropped");
  log.Warning("kept");
  log.Error("kept");
  const std::string text = ReadFile(directory / "log", 1000).value();
  EXPECT_THAT(text, Not(HasSubstr("dropped")));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(LogTest, WriteErrorsAreIgnored) {
  FakeClock clock;
  const auto full = OpenFile("/dev/full", O_WRONLY);
  LogSink sink(clock, full->get(), LogFormat::kText, Severity::kDebug);
  Log(sink).Info("dropped");
  LogSink closed(clock, -1, LogFormat::kText, Severity::kDebug);
  Log(closed).Info("dropped");
}

TEST(LogTest, FullPipeDropsAndCountsLines) {
  FakeClock clock;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  LogSink sink(clock, writer.get(), LogFormat::kText, Severity::kDebug);
  const std::string long_line(100'000, 'x');  // more than the buffer of a pipe
  Log(sink).Info(long_line);
  for (int i = 0; i < 100; ++i) Log(sink).Info("dropped");
  sink.WriteUrgently(Severity::kError, "dropped");
  std::string text(200'000, ' ');
  ASSERT_GT(read(reader.get(), text.data(), text.size()), 0);
  Log(sink).Info("kept");
  const ssize_t size = read(reader.get(), text.data(), text.size());
  text.resize(size < 0 ? 0 : static_cast<size_t>(size));
  EXPECT_THAT(text,
              testing::EndsWith("x\n2026-01-31T12:00:00.000Z WARNING 100 log lines were dropped: "
                                "standard error was blocked\n"
                                "2026-01-31T12:00:00.000Z INFO    kept\n"));
}

TEST(LogTest, FullTerminalDropsLines) {
  FakeClock clock;
  Terminal terminal(80);
  LogSink sink(clock, terminal.fd(), LogFormat::kText, Severity::kDebug);
  for (int i = 0; i < 2000; ++i) Log(sink).Info("a line that the terminal has no room for by now");
  terminal.TakeOutput();
  Log(sink).Info("first");
  EXPECT_THAT(terminal.TakeOutput(), HasSubstr("log lines were dropped"));
}

TEST(LogTest, ConcurrentLinesStayWhole) {
  RecordedLog recorded;
  const Log log = recorded.log();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&log] {
      for (int line = 0; line < 50; ++line) log.Info("one whole line");
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = recorded.Text();
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    EXPECT_EQ(line, "2026-01-31T12:00:00.000Z INFO    one whole line");
  }
}

TEST(LogTest, LineOfAnotherProcessIsUnchanged) {
  RecordedLog recorded;
  recorded.sink().WriteLine("ready-made \x1b[0m");
  EXPECT_EQ(recorded.Text(), "ready-made \x1b[0m\n");
}

TEST(LogBlockTest, IsHiddenWithoutTerminal) {
  RecordedLog recorded;
  EXPECT_FALSE(recorded.sink().on_terminal());
  recorded.sink().ShowBlock({"half done"}, recorded.sink().Size());
  EXPECT_EQ(recorded.Text(), "");
}

TEST(LogBlockTest, IsHiddenWithJsonFormat) {
  FakeClock clock;
  Terminal terminal(80);
  LogSink sink(clock, terminal.fd(), LogFormat::kJson, Severity::kInfo);
  sink.ShowBlock({"half done"}, sink.Size());
  EXPECT_EQ(terminal.TakeOutput(), "");
}

TEST(LogBlockTest, UnknownSizeDefaultsTo80By24) {
  FakeClock clock;
  Terminal terminal(0);
  LogSink sink(clock, terminal.fd(), LogFormat::kText, Severity::kInfo);
  EXPECT_TRUE(sink.Size() == TerminalSize());
}

class LogBlockOnTerminalTest : public testing::Test {
 protected:
  void Show(const std::vector<std::string>& lines) { sink_.ShowBlock(lines, sink_.Size()); }

  const std::string kLine = "2026-01-31T12:00:00.000Z INFO    x\n";
  const std::string kErase = StatusBlock::EraseBytes(0);
  FakeClock clock_;
  Terminal terminal_{20};
  LogSink sink_{clock_, terminal_.fd(), LogFormat::kText, Severity::kInfo};
  StatusBlock expected_;
};

TEST_F(LogBlockOnTerminalTest, LinesAreDrawnAboveBlock) {
  Show({"one", "two"});
  EXPECT_EQ(terminal_.TakeOutput(), expected_.Show({"one", "two"}, sink_.Size()));
  Log(sink_).Info("x");
  EXPECT_EQ(terminal_.TakeOutput(), expected_.PrintAbove(kLine, sink_.Size()));
  sink_.WriteLine("a\x1b[2J");
  EXPECT_EQ(terminal_.TakeOutput(), expected_.PrintAbove("a\\x1b[2J\n", sink_.Size()));
}

TEST_F(LogBlockOnTerminalTest, RemovedBlockLeavesPlainLog) {
  sink_.RemoveBlock();
  EXPECT_EQ(terminal_.TakeOutput(), "");
  Show({"one"});
  terminal_.TakeOutput();
  sink_.RemoveBlock();
  EXPECT_EQ(terminal_.TakeOutput(), kErase);
  Log(sink_).Info("x");
  EXPECT_EQ(terminal_.TakeOutput(), kLine);
}

TEST_F(LogBlockOnTerminalTest, UnchangedBlockIsNotRepeated) {
  Show({"one"});
  terminal_.TakeOutput();
  Show({"one"});
  EXPECT_EQ(terminal_.TakeOutput(), "");
}

TEST_F(LogBlockOnTerminalTest, BlockForAnotherSizeIsNotShown) {
  sink_.ShowBlock({"one"}, {19, 24});
  EXPECT_EQ(terminal_.TakeOutput(), "");
}

TEST_F(LogBlockOnTerminalTest, BlockReturnsAfterUrgentLine) {
  Show({"one"});
  terminal_.TakeOutput();
  sink_.WriteUrgently(Severity::kInfo, "x");
  EXPECT_EQ(terminal_.TakeOutput(), absl::StrCat(kErase, kLine));
  Show({"one"});
  EXPECT_EQ(terminal_.TakeOutput(), expected_.Show({"one"}, sink_.Size()));
}

TEST_F(LogBlockOnTerminalTest, EndedBlockNeverReturns) {
  Show({"one"});
  terminal_.TakeOutput();
  sink_.EndBlock();
  EXPECT_EQ(terminal_.TakeOutput(), kErase);
  Show({"two"});
  sink_.EndBlock();
  EXPECT_EQ(terminal_.TakeOutput(), "");
  Log(sink_).Info("x");
  EXPECT_EQ(terminal_.TakeOutput(), kLine);
}

TEST_F(LogBlockOnTerminalTest, DumbTerminalGetsNoSequences) {
  sink_.ShowLine("half done");
  EXPECT_EQ(terminal_.TakeOutput(), "\rhalf done\r");
  Log(sink_).Info("x");
  const std::string blanks = "\r         \r";
  EXPECT_EQ(terminal_.TakeOutput(), absl::StrCat(blanks, kLine, "\rhalf done\r"));
  sink_.EndBlock();
  EXPECT_EQ(terminal_.TakeOutput(), blanks);
}

TEST_F(LogBlockOnTerminalTest, SecondWorkerShowsNoBlock) {
  Show({"one"});
  terminal_.TakeOutput();
  LogSink other(clock_, terminal_.fd(), LogFormat::kText, Severity::kInfo);
  other.ShowBlock({"two"}, other.Size());
  EXPECT_EQ(terminal_.TakeOutput(), "");
}

TEST_F(LogBlockOnTerminalTest, BlockedTerminalGetsWholeBlockLater) {
  const std::string wide(19, 'x');
  std::string last;
  for (int i = 0; i < 2000; ++i) {
    last = absl::StrCat("block ", i);
    Show({wide, wide, wide, last});
  }
  const std::string first_part = terminal_.TakeOutput();
  Show({"after"});
  const std::string output = absl::StrCat(first_part, terminal_.TakeOutput());
  EXPECT_THAT(output,
              testing::StartsWith(expected_.Show({wide, wide, wide, "block 0"}, sink_.Size())));
  EXPECT_THAT(output, Not(HasSubstr(last)));
  const std::string after = StatusBlock().Show({"after"}, sink_.Size());
  EXPECT_THAT(output, testing::EndsWith(absl::StrCat("\x1b[4A", after)));
}

}  // namespace
}  // namespace sparkles
