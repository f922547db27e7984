#include "executor/progress.h"

#include <gtest/gtest.h>

#include <optional>

#include "absl/strings/string_view.h"
#include "base/status_block.h"
#include "tests/support/fake_clock.h"
#include "tests/support/recorded_log.h"
#include "tests/support/terminal.h"

namespace sparkles {
namespace {

// The bytes that show `line` as the status block.
std::string Block(absl::string_view line) {
  return StatusBlock().Show({std::string(line)}, TerminalSize());
}

class ProgressTest : public testing::Test {
 protected:
  FakeClock clock_;
  Terminal terminal_{80};
  LogSink sink_{clock_, terminal_.fd(), LogFormat::kText, Severity::kInfo};
  std::optional<Progress> progress_{std::in_place, clock_, sink_, "uploading", 3};
};

TEST_F(ProgressTest, ShortTransfersShowNothing) {
  clock_.Advance(absl::Milliseconds(999));
  progress_->AddBytes(5000);
  progress_->AddFile();
  progress_.reset();
  EXPECT_EQ(terminal_.TakeOutput(), "");
}

TEST_F(ProgressTest, LongTransfersShowProgress) {
  progress_->AddFile();
  progress_->AddBytes(1'000'000);
  clock_.Advance(absl::Seconds(2));
  progress_->AddBytes(2'000'000);
  EXPECT_EQ(terminal_.TakeOutput(), Block("uploading: 1 of 3 files, 3.0 MB, 1.5 MB/s"));
}

TEST_F(ProgressTest, UpdateRateIsLimited) {
  clock_.Advance(absl::Seconds(1));
  progress_->AddFile();
  EXPECT_NE(terminal_.TakeOutput(), "");
  clock_.Advance(absl::Milliseconds(199));
  progress_->AddFile();
  EXPECT_EQ(terminal_.TakeOutput(), "");
  clock_.Advance(absl::Milliseconds(1));
  progress_->AddFile();
  EXPECT_EQ(terminal_.TakeOutput(), Block("uploading: 3 of 3 files, 0 B, 0 B/s"));
}

TEST_F(ProgressTest, LineIsClearedAtEnd) {
  clock_.Advance(absl::Seconds(1));
  progress_->AddFile();
  terminal_.TakeOutput();
  progress_.reset();
  EXPECT_EQ(terminal_.TakeOutput(), StatusBlock::kErase);
}

TEST(ProgressOffTerminalTest, ShowsNothing) {
  RecordedLog recorded;
  FakeClock clock;
  Progress progress(clock, recorded.sink(), "uploading", 1);
  clock.Advance(absl::Hours(1));
  progress.AddFile();
  progress.AddBytes(5);
  EXPECT_EQ(recorded.Text(), "");
}

}  // namespace
}  // namespace sparkles
