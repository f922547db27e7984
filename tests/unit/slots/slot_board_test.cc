#include "slots/slot_board.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <string>

namespace sparkles {
namespace {

UniqueFd Duplicate(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

TEST(SlotBoardTest, SlotAndParentShareCounts) {
  const auto parent = SlotBoard::Create(3);
  ASSERT_TRUE(parent.ok()) << parent.status();
  const auto slot = SlotBoard::Attach(Duplicate((*parent)->fd()), 3);
  ASSERT_TRUE(slot.ok()) << slot.status();
  (*slot)->metrics(2).complete.Add(5);
  EXPECT_EQ((*parent)->metrics(2).complete.value(), 5);
  EXPECT_EQ((*parent)->metrics(1).complete.value(), 0);
}

TEST(SlotBoardTest, MemoryOfAnotherSizeIsRefused) {
  const auto parent = SlotBoard::Create(3);
  ASSERT_TRUE(parent.ok()) << parent.status();
  EXPECT_FALSE(SlotBoard::Attach(Duplicate((*parent)->fd()), 4).ok());
  EXPECT_FALSE(SlotBoard::Attach(UniqueFd(), 3).ok());
}

TEST(SlotBoardTest, TotalIsSumOfAllSlots) {
  const auto board = SlotBoard::Create(2);
  ASSERT_TRUE(board.ok()) << board.status();
  for (int i = 0; i < 2; ++i) {
    WorkerMetrics& metrics = (*board)->metrics(i);
    metrics.claimed.Add(1 + static_cast<uint64_t>(i));
    metrics.claim_time.Add(absl::Seconds(1));
    metrics.checkpoints.saves.Add(3);
    metrics.tasks_running = 1;
    metrics.queue_answered_ms = 100 * (i + 1);
  }
  WorkerMetrics total;
  (*board)->AddTo({true, false}, total);
  EXPECT_EQ(total.claimed.value(), 3);
  EXPECT_EQ(total.claim_time.count(), 2);
  EXPECT_DOUBLE_EQ(total.claim_time.sum_seconds(), 2);
  EXPECT_EQ(total.checkpoints.saves.value(), 6);
  EXPECT_EQ(total.tasks_running, 2);
  EXPECT_EQ(total.queue_answered_ms, 200);
}

TEST(SlotBoardTest, GpusOfSlotsAreTheSame) {
  const auto board = SlotBoard::Create(3);
  ASSERT_TRUE(board.ok()) << board.status();
  (*board)->metrics(0).gpus[2].utilization = 40;
  (*board)->metrics(1).gpus[2].utilization = 50;
  WorkerMetrics total;
  (*board)->AddTo({true, true, true}, total);
  EXPECT_EQ(total.gpus[2].utilization, 50);
  EXPECT_EQ(total.gpus[2].memory_used, GpuGauge::kUnknown);
  EXPECT_EQ(total.gpus[0].utilization, GpuGauge::kUnknown);
}

TEST(SlotBoardTest, WorkerIsUnfitWithoutFitSlot) {
  const auto board = SlotBoard::Create(3);
  ASSERT_TRUE(board.ok()) << board.status();
  const auto unfit = [&board](const std::vector<bool>& live) {
    WorkerMetrics total;
    (*board)->AddTo(live, total);
    return total.machine_unfit.load();
  };
  (*board)->metrics(0).machine_unfit = true;
  EXPECT_FALSE(unfit({true, true, false}));
  EXPECT_TRUE(unfit({true, false, false}));
  EXPECT_TRUE(unfit({false, false, false}));
}

TEST(SlotBoardTest, MessageIsNewsForOneSlot) {
  const auto parent = SlotBoard::Create(2);
  ASSERT_TRUE(parent.ok()) << parent.status();
  const auto slot = SlotBoard::Attach(Duplicate((*parent)->fd()), 2);
  ASSERT_TRUE(slot.ok()) << slot.status();
  EXPECT_TRUE((*slot)->IsNews("a"));
  EXPECT_FALSE((*parent)->IsNews("a"));
  EXPECT_TRUE((*parent)->IsNews("b"));
  for (size_t i = 0; i < 2 * SlotBoard::kMaxNews; ++i) {
    EXPECT_TRUE((*slot)->IsNews(std::to_string(i))) << i;
  }
}

TEST(SlotBoardTest, WorkerIsStalledIfOneLiveSlotIs) {
  const auto board = SlotBoard::Create(2);
  ASSERT_TRUE(board.ok()) << board.status();
  (*board)->metrics(1).stalled = true;
  WorkerMetrics with_slot;
  (*board)->AddTo({true, true}, with_slot);
  EXPECT_TRUE(with_slot.stalled);
  WorkerMetrics without_slot;
  (*board)->AddTo({true, false}, without_slot);
  EXPECT_FALSE(without_slot.stalled);
}

}  // namespace
}  // namespace sparkles
