#include "summary/order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/summary/task_rows.h"

namespace sparkles {
namespace {

using testing::ElementsAre;

TEST(OrderTest, NumbersInIdsAreCompared) {
  const std::vector<std::string> ordered = {"",       "a",         "job.2",  "job.2.x", "job.09",
                                            "job.10", "job.010.1", "job.11", "jobs",    "\xC3\xA9"};
  for (size_t i = 0; i < ordered.size(); ++i) {
    for (size_t j = 0; j < ordered.size(); ++j) {
      EXPECT_EQ(CompareNatural(ordered[i], ordered[j]) < 0, i < j)
          << ordered[i] << " " << ordered[j];
    }
  }
  EXPECT_EQ(CompareNatural("a.1", "a.01"), 0);
  EXPECT_LT(CompareNatural("a.99999999999999999999", "a.100000000000000000000"), 0);
}

TEST(OrderTest, UnknownValuesComeLast) {
  std::vector<TaskRow> rows = {MeasuredTask(1, 2e9), FailedTask("b", "x"), MeasuredTask(3, 1e9),
                               MeasuredTask(2, 1e9)};
  EXPECT_THAT(ChooseRows(rows, {.sort_by = "cpu"}), ElementsAre(0, 3, 2, 1));
  EXPECT_THAT(ChooseRows(rows, {.sort_by = "cpu", .reverse = true}), ElementsAre(2, 3, 0, 1));
  EXPECT_THAT(ChooseRows(rows, {.sort_by = "memory"}), ElementsAre(2, 3, 0, 1));
}

TEST(OrderTest, EachColumnSorts) {
  std::vector<TaskRow> rows = {MeasuredTask(2, 2e9), MeasuredTask(1, 1e9)};
  rows[0].id = "b";
  rows[1].id = "a";
  rows[0].status = "failed";
  rows[0].exit_code = "10";
  rows[1].exit_code = "9";
  rows[0].use.wall_seconds = 101;
  rows[0].use.outputs = 3;
  rows[0].failure_reason = "z";
  rows[1].failure_reason = "y";
  for (const std::string& column : SortColumns()) {
    EXPECT_THAT(ChooseRows(rows, {.sort_by = column}), ElementsAre(1, 0)) << column;
    EXPECT_THAT(ChooseRows(rows, {.sort_by = column, .reverse = true}), ElementsAre(0, 1));
  }
}

TEST(OrderTest, FailedRowsAreChosen) {
  const std::vector<TaskRow> rows = {FailedTask("a", "x"), EndedTask("b", "0"), EndedTask("c", "1"),
                                     TaskRow()};
  EXPECT_THAT(ChooseRows(rows, {.failed_only = true}), ElementsAre(0, 2));
  EXPECT_THAT(ChooseRows(rows, {.reverse = true}), ElementsAre(3, 2, 1, 0));
}

}  // namespace
}  // namespace sparkles
