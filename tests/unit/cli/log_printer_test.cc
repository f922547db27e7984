#include "cli/log_printer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

OutputPiece Piece(const std::string& data, int64_t new_offset, bool complete = false) {
  OutputPiece piece;
  piece.data = data;
  piece.new_offset = new_offset;
  piece.at_end = true;
  piece.complete = complete;
  return piece;
}

class LogPrinterTest : public testing::Test {
 protected:
  // Runs with answers from `answer`, which gets the number of earlier calls.
  absl::Status Run(std::function<absl::StatusOr<OutputPiece>(int call)> answer,
                   bool follow = true) {
    const UniqueFd out = OpenFile(directory_ / "out", O_CREAT | O_WRONLY | O_TRUNC).value();
    const auto read = [&](int64_t, int32_t) { return answer(calls_++); };
    return LogPrinter("host:1", follow, read, clock_, out.get()).Run();
  }

  // The first call returns a line. Later calls fail with `error`, each after `took`, until the
  // worker has been away for `away`; the call that runs then returns the rest.
  absl::Status RunWithPause(const absl::Status& error, absl::Duration took, absl::Duration away) {
    start_ = clock_.Now();
    return Run([=, this](int call) -> absl::StatusOr<OutputPiece> {
      if (call == 0) return Piece("one\n", 4);
      const absl::Duration left = away - (clock_.Now() - start_);
      clock_.Advance(std::clamp(left, absl::ZeroDuration(), took));
      if (left <= took) return Piece("two\n", 8, true);
      return error;
    });
  }

  std::string Printed() { return ReadFile(directory_ / "out", 100).value_or("(none)"); }

  TempDirectory directory_;
  FakeClock clock_;
  absl::Time start_ = clock_.Now();
  int calls_ = 0;
};

TEST_F(LogPrinterTest, ShortAbsenceIsTolerated) {
  const absl::Duration timeout = MonitorClient::kTimeout;
  const std::vector<std::pair<absl::Status, absl::Duration>> pauses = {
      {absl::UnavailableError("refused"), absl::ZeroDuration()},
      {absl::DeadlineExceededError("Deadline Exceeded"), timeout},
      {absl::CancelledError("cut"), absl::Seconds(1)}};
  for (const auto& [error, took] : pauses) {
    calls_ = 0;
    EXPECT_TRUE(RunWithPause(error, took, absl::Seconds(29)).ok()) << error;
    EXPECT_EQ(Printed(), "one\ntwo\n") << error;
  }
}

TEST_F(LogPrinterTest, EachAnswerRestartsDeadline) {
  const auto answer = [](int call) -> absl::StatusOr<OutputPiece> {
    if (call % 50 == 0) return Piece("", 0, call == 200);  // after 25 s without an answer
    return absl::UnavailableError("refused");
  };
  EXPECT_TRUE(Run(answer).ok());
  EXPECT_GT(clock_.Now() - start_, absl::Seconds(90));
  calls_ = 0;
  EXPECT_FALSE(RunWithPause(absl::UnavailableError(""), absl::ZeroDuration(), absl::Hours(1)).ok());
  EXPECT_GE(clock_.Now() - start_, LogPrinter::kMaxOutage);
  EXPECT_LE(clock_.Now() - start_, LogPrinter::kMaxOutage + absl::Seconds(2));
}

TEST_F(LogPrinterTest, LongAbsenceErrorNamesStdoutUrl) {
  for (const absl::Status& error :
       {absl::UnavailableError("failed to connect to all addresses; last error: UNKNOWN"),
        absl::DeadlineExceededError("Deadline Exceeded")}) {
    calls_ = 0;
    const absl::Status end = RunWithPause(error, absl::Seconds(5), absl::Hours(1));
    EXPECT_EQ(end.code(), error.code());
    EXPECT_THAT(std::string(end.message()),
                AllOf(HasSubstr("host:1: the worker cannot be reached any more"),
                      HasSubstr("probably ended"), HasSubstr("stdout_url"),
                      Not(HasSubstr("UNKNOWN")), Not(HasSubstr("Deadline"))));
  }
}

TEST_F(LogPrinterTest, LastingCancellationIsReturned) {
  const absl::Status end =
      RunWithPause(absl::CancelledError("cut"), absl::Seconds(1), absl::Hours(1));
  EXPECT_EQ(end, absl::CancelledError("cut"));
}

TEST_F(LogPrinterTest, SuspendedMachineKeepsWaiting) {
  const auto answer = [this](int call) -> absl::StatusOr<OutputPiece> {
    if (call != 1) return Piece("", 0, call > 1);
    clock_.Advance(absl::Hours(1));
    return absl::DeadlineExceededError("");
  };
  EXPECT_TRUE(Run(answer).ok());
}

TEST_F(LogPrinterTest, FirstCallFailureIsReturned) {
  const absl::Status error = absl::UnavailableError("refused");
  EXPECT_EQ(Run([&](int) { return error; }), error);
  const absl::Status silent = absl::DeadlineExceededError("silent");
  EXPECT_EQ(Run([&](int) { return silent; }), silent);
  EXPECT_EQ(calls_, 2);
}

TEST_F(LogPrinterTest, MissingLogIsAwaitedThreeSeconds) {
  const auto after = [this](absl::Duration wait, const absl::Status& other) {
    start_ = clock_.Now();
    calls_ = 0;
    return Run([=, this](int call) -> absl::StatusOr<OutputPiece> {
      if (clock_.Now() - start_ >= wait) return Piece("one\n", 4, true);
      return call == 0 ? absl::NotFoundError("") : other;
    });
  };
  EXPECT_TRUE(after(absl::Seconds(2), absl::NotFoundError("")).ok());
  EXPECT_EQ(Printed(), "one\n");
  EXPECT_TRUE(absl::IsNotFound(after(absl::Seconds(5), absl::NotFoundError(""))));
  // The worker has answered, so later errors are retried as usual.
  EXPECT_TRUE(after(absl::Seconds(20), absl::UnavailableError("")).ok());
}

TEST_F(LogPrinterTest, ReadWithoutFollowDoesNotWait) {
  const absl::Status error = absl::UnavailableError("refused");
  const auto answer = [&](int call) -> absl::StatusOr<OutputPiece> {
    if (call > 0) return error;
    OutputPiece piece = Piece("one\n", 4);
    piece.at_end = false;
    return piece;
  };
  EXPECT_EQ(Run(answer, false), error);
  calls_ = 0;
  EXPECT_TRUE(Run([](int) { return Piece("one\n", 4); }, false).ok());
  EXPECT_EQ(calls_, 1);
}

TEST_F(LogPrinterTest, OtherErrorIsReturnedAtOnce) {
  const absl::Status error = absl::UnauthenticatedError("");
  EXPECT_EQ(RunWithPause(error, absl::ZeroDuration(), absl::Seconds(5)), error);
  EXPECT_EQ(calls_, 2);
}

}  // namespace
}  // namespace sparkles
