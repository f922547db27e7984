#include "view/estimate.h"

#include <gtest/gtest.h>

namespace sparkles {
namespace {

constexpr absl::Duration kTask = absl::Seconds(10);

// `ended` tasks of 10 s each, which `slots` slots have run one after another.
RunPace Pace(size_t ended, int slots, size_t waiting) {
  RunPace pace;
  pace.ended = ended;
  pace.time_of_ended = kTask * static_cast<int64_t>(ended);
  pace.time_worked = pace.time_of_ended;
  pace.elapsed = pace.time_worked / slots;
  pace.waiting = waiting;
  return pace;
}

TEST(EstimateTest, NothingIsKnownBeforeFirstEnd) {
  RunPace pace = Pace(0, 1, 5);
  pace.running = {absl::Seconds(3)};
  EXPECT_EQ(EstimateTimeLeft(pace), std::nullopt);
}

TEST(EstimateTest, NothingIsLeftAfterLastEnd) {
  EXPECT_EQ(EstimateTimeLeft(Pace(5, 1, 0)), std::nullopt);
}

TEST(EstimateTest, OneSlotRunsTasksOneAfterAnother) {
  EXPECT_EQ(EstimateTimeLeft(Pace(2, 1, 6)), 6 * kTask);
}

TEST(EstimateTest, SlotsShareTheTasks) { EXPECT_EQ(EstimateTimeLeft(Pace(8, 4, 12)), 3 * kTask); }

TEST(EstimateTest, RunningTasksCountInPart) {
  RunPace pace = Pace(4, 1, 2);
  pace.running = {absl::Seconds(4)};
  pace.time_worked += absl::Seconds(4);
  pace.elapsed += absl::Seconds(4);
  EXPECT_EQ(EstimateTimeLeft(pace), 2 * kTask + absl::Seconds(6));
}

// The first of 16 tasks ends, and the other 15 are as far.
TEST(EstimateTest, FirstEndOfManySlotsIsEnough) {
  RunPace pace = Pace(1, 1, 32);
  pace.running = std::vector<absl::Duration>(15, kTask - absl::Seconds(1));
  pace.time_worked = 16 * kTask;
  pace.elapsed = kTask;
  const absl::Duration left = EstimateTimeLeft(pace).value();
  EXPECT_GT(left, 2 * kTask);
  EXPECT_LT(left, 3 * kTask);
}

TEST(EstimateTest, SlowLastTaskIsNotAboutToEnd) {
  RunPace pace = Pace(4, 1, 0);
  pace.running = {absl::Minutes(40)};
  EXPECT_EQ(EstimateTimeLeft(pace), absl::Minutes(10));
}

TEST(EstimateTest, LongestRunningTaskIsAwaited) {
  RunPace pace = Pace(40, 4, 0);
  pace.running = {absl::Seconds(1)};
  EXPECT_EQ(EstimateTimeLeft(pace), absl::Seconds(9));
}

TEST(EstimateTest, TasksWithoutDurationGiveNone) {
  RunPace pace = Pace(3, 1, 5);
  pace.time_of_ended = pace.time_worked = absl::ZeroDuration();
  EXPECT_EQ(EstimateTimeLeft(pace), std::nullopt);
}

}  // namespace
}  // namespace sparkles
