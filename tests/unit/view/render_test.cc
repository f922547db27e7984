#include "view/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/display_width.h"

namespace sparkles {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::ResultOf;

SlotFacts Slot(const std::string& id, TaskPhase phase, absl::Duration time) {
  SlotFacts slot;
  slot.task.task_id = id;
  slot.task.phase = phase;
  slot.task_time = time;
  return slot;
}

SlotFacts Transfer(const std::string& id, TaskPhase phase, absl::Duration time) {
  SlotFacts slot = Slot(id, phase, time);
  slot.task.files = 12;
  slot.task.files_done = 3;
  slot.task.bytes_done = 1'204'000'000;
  slot.bytes_per_second = 85'200'000;
  return slot;
}

// A run in its middle, with all phases.
ViewFacts SomeFacts() {
  ViewFacts facts;
  facts.tasks = 1000;
  facts.waiting = 583;
  facts.complete = 410;
  facts.nonzero = 5;
  facts.failed = 3;
  facts.running = 4;
  facts.elapsed = absl::Hours(1) + absl::Minutes(12) + absl::Seconds(44);
  facts.left = absl::Minutes(99);
  facts.slots = {Slot("kmer-fit.413", TaskPhase::kRunning, absl::Minutes(74)),
                 Transfer("kmer-fit.414", TaskPhase::kFetching, absl::Seconds(14)),
                 Transfer("kmer-fit.415", TaskPhase::kStoring, absl::Seconds(131)),
                 Slot("kmer-fit.416", TaskPhase::kPreparing, absl::ZeroDuration()),
                 Slot("", TaskPhase::kIdle, absl::ZeroDuration())};
  facts.id_columns = 12;
  return facts;
}

// The block as on a screen, between line ends.
std::string Draw(const ViewFacts& facts, TerminalSize size, ViewStyle style = {}) {
  return absl::StrCat("\n", absl::StrJoin(RenderBlock(facts, size, style), "\n"), "\n");
}

TEST(RenderBlockTest, EightyColumnsHoldRates) {
  EXPECT_EQ(Draw(SomeFacts(), {80, 24}), R"(
================-----------------------   41 %   1:12:44  about 1 h 40 min left
410 done    3 failed      4 running      583 waiting    5 nonzero exit
0  kmer-fit.413  running                    1:14:00
1  kmer-fit.414  fetching 3/12 files           0:14  85.2 MB/s
2  kmer-fit.415  storing 3/12 files            2:11  85.2 MB/s
3  kmer-fit.416  preparing                     0:00
4                idle
)");
}

TEST(RenderBlockTest, WideTerminalHoldsBytes) {
  ViewFacts facts = SomeFacts();
  facts.slots.resize(2);
  const std::string bar = std::string(33, '=') + std::string(47, '-');
  EXPECT_EQ(Draw(facts, {200, 50}), "\n" + bar + R"(   41 %   1:12:44  about 1 h 40 min left
410 done    3 failed      4 running      583 waiting    5 nonzero exit
0  kmer-fit.413  running                    1:14:00
1  kmer-fit.414  fetching 3/12 files           0:14    1.2 GB  85.2 MB/s
)");
}

TEST(RenderBlockTest, FortyColumnsHoldTaskPhaseAndTime) {
  EXPECT_EQ(Draw(SomeFacts(), {40, 24}), R"(
=============-------------------   41 %
1:12:44 elapsed  about 1 h 40 min left
410 done    3 failed      4 running
583 waiting    5 nonzero exit
0  kmer-fit.413  running     1:14:00
1  kmer-fit.414  fetching       0:14
2  kmer-fit.415  storing        2:11
3  kmer-fit.416  preparing      0:00
4                idle
)");
}

TEST(RenderBlockTest, OneSlotHasNoNumber) {
  ViewFacts facts = SomeFacts();
  facts.slots.resize(1);
  EXPECT_THAT(RenderBlock(facts, {80, 24}, {}).back(),
              testing::StartsWith("kmer-fit.413  running"));
}

TEST(RenderBlockTest, ColoursMarkFailuresAndDimTheRest) {
  ViewFacts facts = SomeFacts();
  facts.slots = {facts.slots[0], facts.slots[4]};
  facts.waiting = 0;
  facts.note = "stopping";
  const std::string drawn = Draw(facts, {80, 24}, {.colours = true});
  EXPECT_THAT(drawn, HasSubstr("\x1b[32m===============\x1b[0m\x1b[31m=\x1b[0m\x1b[2m---"));
  EXPECT_THAT(drawn, HasSubstr("410 done    \x1b[31m3 failed\x1b[0m      4 running      "
                               "\x1b[2m0 waiting\x1b[0m      \x1b[33m5 nonzero exit\x1b[0m\n"));
  EXPECT_THAT(drawn, HasSubstr("\n\x1b[33mstopping"));
  EXPECT_THAT(drawn, HasSubstr("\n\x1b[2m0  \x1b[0mkmer-fit.413  running"));
  EXPECT_THAT(drawn, HasSubstr("\n\x1b[2m1  \x1b[0m\x1b[2m              idle\x1b[0m\n"));
}

// The text is the same, so that NO_COLOR changes only the colours.
TEST(RenderBlockTest, WithoutColoursOnlySequencesLack) {
  std::string drawn = Draw(SomeFacts(), {80, 24}, {.colours = true});
  for (const char* code : {"0", "2", "31", "32", "33"}) {
    drawn = absl::StrReplaceAll(drawn, {{absl::StrCat("\x1b[", code, "m"), ""}});
  }
  EXPECT_EQ(drawn, Draw(SomeFacts(), {80, 24}));
  EXPECT_THAT(drawn, Not(HasSubstr("\x1b")));
}

TEST(RenderBlockTest, Utf8TerminalGetsLines) {
  EXPECT_THAT(Draw(SomeFacts(), {80, 24}, {.utf8 = true}),
              testing::StartsWith("\n\xE2\x94\x81\xE2\x94\x81"));
}

TEST(RenderBlockTest, SlotsWithoutRoomAreCounted) {
  ViewFacts facts = SomeFacts();
  facts.slots = std::vector<SlotFacts>(64, facts.slots[0]);
  const auto lines = RenderBlock(facts, {80, 24}, {});
  EXPECT_EQ(lines.size(), 15) << "with the empty row, two thirds of the screen";
  EXPECT_THAT(lines[2], testing::StartsWith(" 0  kmer"));
  EXPECT_EQ(lines.back(), "and 52 more slots");
  facts.slots.resize(13);
  EXPECT_THAT(RenderBlock(facts, {80, 24}, {}).back(), testing::StartsWith("12  kmer"));
}

TEST(RenderBlockTest, LowTerminalKeepsCounts) {
  const auto lines = RenderBlock(SomeFacts(), {80, 5}, {});
  EXPECT_EQ(lines.size(), 2);
}

TEST(RenderBlockTest, LinesAreNarrowerThanTerminal) {
  ViewFacts facts = SomeFacts();
  facts.tasks = 123'456'789;
  facts.waiting = 100'000'000;
  facts.complete = 23'000'000;
  facts.elapsed = absl::Hours(99) + absl::Minutes(59);
  facts.left = absl::Hours(9) + absl::Minutes(50);
  facts.note = std::string(300, 'n');
  facts.slots[0].task.task_id = std::string(128, 'x');
  facts.slots[1].task.files = facts.slots[1].task.files_done = 123'456'789;
  facts.id_columns = 128;
  for (int columns = 40; columns < 130; ++columns) {
    EXPECT_THAT(RenderBlock(facts, {columns, 50}, {.utf8 = true}),
                Each(ResultOf(DisplayWidth, testing::Lt(columns))));
  }
}

TEST(RenderBlockTest, StrangeTaskIdsKeepColumns) {
  ViewFacts facts = SomeFacts();
  facts.slots.resize(2);
  facts.slots[0].task.task_id = "\x1b[2J\n\xFF";
  facts.slots[1].task.task_id = "\xE4\xBB\xBB\xE5\x8A\xA1.1";
  facts.id_columns = 16;
  const auto lines = RenderBlock(facts, {80, 24}, {});
  EXPECT_THAT(lines[2], testing::StartsWith("0  \\x1b[2J\\n\\xff     running"));
  EXPECT_THAT(lines[3], testing::StartsWith("1  \xE4\xBB\xBB\xE5\x8A\xA1.1            fetching"));
}

TEST(RenderBlockTest, LongTaskIdIsCutInItsMiddle) {
  ViewFacts facts = SomeFacts();
  facts.slots = {Slot("a-very-long-name-of-a-study/sample-0017.4711", TaskPhase::kRunning, {})};
  facts.id_columns = 44;
  EXPECT_THAT(RenderBlock(facts, {80, 24}, {}).back(),
              testing::StartsWith("a-very-long-nam...mple-0017.4711  running"));
  EXPECT_THAT(RenderBlock(facts, {200, 24}, {}).back(),
              testing::StartsWith("a-very-long-name-of-a-study/sample-0017.4711  running"));
}

TEST(RenderBlockTest, NoTasksAreShown) {
  ViewFacts facts;
  facts.tasks = facts.waiting = 0;
  EXPECT_EQ(Draw(facts, {80, 24}), R"(
---------------------------------------    0 %      0:00
0 done   0 failed   0 running   0 waiting
)");
}

TEST(RenderBlockTest, AllTasksHaveEnded) {
  ViewFacts facts;
  facts.tasks = 7;
  facts.waiting = 0;
  facts.complete = 7;
  facts.elapsed = absl::Seconds(59);
  EXPECT_EQ(Draw(facts, {80, 24}), R"(
=======================================  100 %      0:59
7 done   0 failed   0 running   0 waiting
)");
  facts.tasks = 100'000;
  facts.complete = 99'999;
  EXPECT_THAT(Draw(facts, {80, 24}), HasSubstr(" 99 %"));
}

TEST(RenderBlockTest, QueueOfClusterHasNoBar) {
  ViewFacts facts = SomeFacts();
  facts.tasks = facts.waiting = std::nullopt;
  facts.left = std::nullopt;
  facts.nonzero = 0;
  facts.slots.resize(1);
  EXPECT_EQ(Draw(facts, {80, 24}), R"(
1:12:44 elapsed
410 done    3 failed      4 running
kmer-fit.413  running                    1:14:00
)");
}

TEST(RenderBlockTest, TimeLeftIsRounded) {
  const std::pair<absl::Duration, std::string> cases[] = {
      {absl::Seconds(0), "a few seconds left"},       {absl::Seconds(9), "a few seconds left"},
      {absl::Seconds(14), "about 10 s left"},         {absl::Seconds(54), "about 50 s left"},
      {absl::Seconds(55), "about 1 min left"},        {absl::Seconds(95), "about 2 min left"},
      {absl::Minutes(59), "about 59 min left"},       {absl::Minutes(61), "about 1 h left"},
      {absl::Minutes(118), "about 2 h left"},         {absl::Minutes(145), "about 2 h 30 min left"},
      {absl::Hours(10), "about 10 h left"},           {absl::Hours(47), "about 47 h left"},
      {absl::Hours(24 * 5 + 11), "about 5 days left"}};
  ViewFacts facts = SomeFacts();
  for (const auto& [left, text] : cases) {
    facts.left = left;
    EXPECT_THAT(RenderBlock(facts, {80, 24}, {})[0], testing::EndsWith("  " + text));
  }
}

TEST(RenderLineTest, LineHoldsWhatFits) {
  ViewFacts facts = SomeFacts();
  EXPECT_EQ(RenderLine(facts, 80),
            "410 of 1000 done, 3 failed, 4 running, 1:12:44, about 1 h 40 min left");
  EXPECT_EQ(RenderLine(facts, 39), "410 of 1000 done, 3 failed, 4 running");
  EXPECT_EQ(RenderLine(facts, 10), "");
  facts.tasks = std::nullopt;
  facts.failed = 0;
  EXPECT_EQ(RenderLine(facts, 39), "410 done, 4 running, 1:12:44");
}

TEST(RenderLineTest, OnlySlotShowsItsTransfer) {
  ViewFacts facts = SomeFacts();
  facts.tasks = 7;
  facts.complete = 2;
  facts.failed = 0;
  facts.left = std::nullopt;
  facts.slots = {facts.slots[1]};
  EXPECT_EQ(RenderLine(facts, 80),
            "2 of 7 done, 4 running, 1:12:44, fetching 3/12 files, 1.2 GB, 85.2 MB/s");
}

}  // namespace
}  // namespace sparkles
