#include "view/slot_meter.h"

#include <gtest/gtest.h>

#include <memory>

namespace sparkles {
namespace {

class SlotMeterTest : public testing::Test {
 protected:
  // Moves `bytes` in each of `seconds` seconds, and returns the last facts.
  SlotFacts Transfer(uint64_t bytes, int seconds) {
    SlotFacts facts = meter_.Read(now_);
    for (int i = 0; i < seconds; ++i) {
      now_ += absl::Seconds(1);
      metrics_->bytes_downloaded.Add(bytes);
      facts = meter_.Read(now_);
    }
    return facts;
  }

  absl::Time now_ = absl::FromUnixSeconds(1'769'860'800);
  const std::unique_ptr<WorkerMetrics> metrics_ = std::make_unique<WorkerMetrics>();
  SlotMeter meter_{*metrics_};
};

TEST_F(SlotMeterTest, IdleSlotHasNoTime) {
  const SlotFacts facts = meter_.Read(now_);
  EXPECT_EQ(facts.task.phase, TaskPhase::kIdle);
  EXPECT_EQ(facts.task_time, absl::ZeroDuration());
  EXPECT_EQ(facts.bytes_per_second, 0);
}

TEST_F(SlotMeterTest, TimeCountsFromClaim) {
  metrics_->current_task.Begin("job.1", now_ - absl::Seconds(65));
  metrics_->current_task.Enter(TaskPhase::kRunning, now_ - absl::Seconds(60));
  EXPECT_EQ(meter_.Read(now_).task_time, absl::Seconds(65));
}

TEST_F(SlotMeterTest, RateIsThatOfLastSeconds) {
  metrics_->current_task.Begin("job.1", now_);
  EXPECT_DOUBLE_EQ(Transfer(1000, 2).bytes_per_second, 1000);
  EXPECT_DOUBLE_EQ(Transfer(5000, 10).bytes_per_second, 5000);
  EXPECT_DOUBLE_EQ(Transfer(0, 10).bytes_per_second, 0);
  metrics_->bytes_uploaded.Add(3000);
  now_ += absl::Seconds(1);
  EXPECT_GT(meter_.Read(now_).bytes_per_second, 0) << "uploads count, too";
}

TEST_F(SlotMeterTest, NewPhaseHasRateOfItsOwn) {
  metrics_->current_task.Begin("job.1", now_);
  metrics_->current_task.Enter(TaskPhase::kFetching, now_, 1);
  EXPECT_GT(Transfer(1000, 2).bytes_per_second, 0);
  metrics_->current_task.Enter(TaskPhase::kRunning, now_);
  EXPECT_EQ(meter_.Read(now_).bytes_per_second, 0);
  EXPECT_EQ(Transfer(0, 1).bytes_per_second, 0);
}

}  // namespace
}  // namespace sparkles
