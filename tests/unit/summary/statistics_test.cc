#include "summary/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/summary/task_rows.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::SizeIs;

TEST(StatisticsTest, PercentilesAreInterpolated) {
  const Distribution none = DistributionOf({});
  EXPECT_EQ(none.count, 0U);
  const Distribution one = DistributionOf({7});
  EXPECT_THAT((std::vector{one.min, one.median, one.p95, one.max}), ElementsAre(7, 7, 7, 7));
  const Distribution few = DistributionOf({4, 1, 3, 2});
  EXPECT_THAT((std::vector{few.min, few.median, few.max}), ElementsAre(1, 2.5, 4));
  EXPECT_DOUBLE_EQ(few.p95, 3.85);
  std::vector<double> many;
  for (int i = 100; i >= 0; --i) many.push_back(i);
  EXPECT_DOUBLE_EQ(DistributionOf(many).p95, 95);
}

TEST(StatisticsTest, OnlyKnownValuesCount) {
  TaskRow old = MeasuredTask(1, 1e9);
  old.use.wall_seconds.reset();
  const Statistics statistics =
      ComputeStatistics({MeasuredTask(2, 3e9), old, FailedTask("job.2", "x")});
  EXPECT_EQ(statistics.cpus_used.count, 1U);
  EXPECT_EQ(statistics.cpus_used.median, 2);
  EXPECT_EQ(statistics.wall_seconds.count, 1U);
  EXPECT_EQ(statistics.peak_memory_bytes.count, 2U);
  EXPECT_EQ(statistics.peak_memory_bytes.min, 1e9);
}

TEST(StatisticsTest, StatusesAreInOrderOfLife) {
  std::vector<TaskRow> rows(6);
  const char* const statuses[] = {"failed", "strange", "complete", "pending", "pending", "claimed"};
  for (size_t i = 0; i < rows.size(); ++i) rows[i].status = statuses[i];
  const auto is = [](const char* status, size_t count) {
    return AllOf(Field(&Group::key, status), Field(&Group::count, count));
  };
  EXPECT_THAT(ComputeStatistics(rows).statuses,
              ElementsAre(is("pending", 2), is("claimed", 1), is("complete", 1), is("failed", 1),
                          is("strange", 1)));
}

TEST(StatisticsTest, MachinesAreGroupedByType) {
  std::vector<TaskRow> rows(4, MeasuredTask(1, 1e9));
  rows[0].use.machine = {"n1-standard-4", 4, 15.8e9};
  rows[1].use.machine = {"n1-standard-4", 4, 15.7e9};
  rows[2].use.machine = {"n1-standard-8", 8, 31e9};
  rows[3].use.machine = {};
  const auto machines = ComputeStatistics(rows).machines;
  ASSERT_THAT(machines, SizeIs(2));
  EXPECT_EQ(machines[0].tasks, 2U);
  EXPECT_EQ(machines[0].machine.memory_bytes, 15.8e9);
  EXPECT_EQ(machines[1].machine.type, "n1-standard-8");
}

// Machines outside of Google Cloud have no type.
TEST(StatisticsTest, MachinesWithoutTypeAreToldApart) {
  const auto machines =
      ComputeStatistics({MeasuredTask(1, 1e9), MeasuredTask(1, 1e9, 8, 16e9),
                         MeasuredTask(1, 1e9, 4, 32e9), MeasuredTask(1, 1e9, 4, 16.001e9)})
          .machines;
  ASSERT_THAT(machines, SizeIs(3));
  EXPECT_EQ(machines[0].tasks, 2U);
}

}  // namespace
}  // namespace sparkles
