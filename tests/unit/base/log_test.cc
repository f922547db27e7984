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
constexpr absl::string_view kClear = "\r\x1b[K";

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
              testing::EndsWith("WARNING 101 log lines were dropped: standard error was blocked\n"
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

TEST(ProgressLineTest, IsHiddenWithoutTerminal) {
  RecordedLog recorded;
  EXPECT_FALSE(recorded.sink().on_terminal());
  recorded.sink().ShowProgress("half done");
  EXPECT_EQ(recorded.Text(), "");
}

TEST(ProgressLineTest, IsHiddenWithJsonFormat) {
  FakeClock clock;
  Terminal terminal(80);
  LogSink sink(clock, terminal.fd(), LogFormat::kJson, Severity::kInfo);
  sink.ShowProgress("half done");
  EXPECT_EQ(terminal.TakeOutput(), "");
}

class ProgressLineOnTerminalTest : public testing::Test {
 protected:
  FakeClock clock_;
  Terminal terminal_{20};
  LogSink sink_{clock_, terminal_.fd(), LogFormat::kText, Severity::kInfo};
};

TEST_F(ProgressLineOnTerminalTest, ReplacesPreviousLine) {
  sink_.ShowProgress("one");
  sink_.ShowProgress("two");
  EXPECT_EQ(terminal_.TakeOutput(), absl::StrCat(kClear, "one", kClear, "two"));
}

TEST_F(ProgressLineOnTerminalTest, LogMessageClearsProgressOnce) {
  sink_.ShowProgress("half done");
  terminal_.TakeOutput();
  Log(sink_).Info("x");
  Log(sink_).Info("y");
  EXPECT_EQ(terminal_.TakeOutput(), absl::StrCat(kClear, "2026-01-31T12:00:00.000Z INFO    x\n",
                                                 "2026-01-31T12:00:00.000Z INFO    y\n"));
}

TEST_F(ProgressLineOnTerminalTest, EmptyProgressClearsLine) {
  sink_.ShowProgress("");
  EXPECT_EQ(terminal_.TakeOutput(), "");
  sink_.ShowProgress("half done");
  sink_.ShowProgress("");
  EXPECT_EQ(terminal_.TakeOutput(), absl::StrCat(kClear, "half done", kClear));
  Log(sink_).Info("x");
  EXPECT_THAT(terminal_.TakeOutput(), Not(HasSubstr(kClear)));
}

TEST_F(ProgressLineOnTerminalTest, LongProgressIsShortened) {
  sink_.ShowProgress("123456789 123456789 123456789");
  EXPECT_EQ(terminal_.TakeOutput(), absl::StrCat(kClear, "1234567 ... 3456789"));
}

TEST(ProgressLineTest, UnknownWidthDefaultsTo80Columns) {
  FakeClock clock;
  Terminal terminal(0);
  LogSink sink(clock, terminal.fd(), LogFormat::kText, Severity::kInfo);
  sink.ShowProgress(std::string(200, 'x'));
  EXPECT_EQ(terminal.TakeOutput().size(), kClear.size() + 79);
}

}  // namespace
}  // namespace sparkles
