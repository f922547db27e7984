#include "view/live_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>

#include "tests/support/eventually.h"
#include "tests/support/fake_clock.h"
#include "tests/support/terminal.h"

namespace sparkles {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class LiveViewTest : public testing::Test {
 protected:
  void Start(unsigned short columns, LiveViewOptions options = {}) {
    terminal_.emplace(columns);
    sink_.emplace(clock_, terminal_->fd(), LogFormat::kText, Severity::kInfo);
    view_.emplace(*sink_, options, [this] {
      ++asked_;
      ViewFacts facts;
      facts.tasks = 7;
      facts.complete = 3;
      return facts;
    });
    EXPECT_TRUE(Eventually([&] { return asked_ > 1; }));
  }

  FakeClock clock_;
  std::optional<Terminal> terminal_;
  std::optional<LogSink> sink_;
  std::atomic<int> asked_ = 0;
  std::optional<LiveView> view_;
};

TEST_F(LiveViewTest, BlockIsShownAndRemovedAtEnd) {
  Start(80);
  view_.reset();
  const std::string output = terminal_->TakeOutput();
  EXPECT_THAT(output, HasSubstr("3 done"));
  EXPECT_THAT(output, EndsWith(StatusBlock::EraseBytes(0)));
}

TEST_F(LiveViewTest, NarrowTerminalGetsOneLine) {
  Start(39);
  view_.reset();
  const std::string output = terminal_->TakeOutput();
  EXPECT_THAT(output, HasSubstr("\n\r3 of 7 done, 0:00\x1b[J"));
}

TEST_F(LiveViewTest, DumbTerminalGetsNoSequences) {
  Start(80, {.dumb = true});
  view_.reset();
  const std::string output = terminal_->TakeOutput();
  EXPECT_THAT(output, HasSubstr("\r3 of 7 done, 0:00\r"));
  EXPECT_THAT(output, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace sparkles
