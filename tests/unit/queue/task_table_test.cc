#include "queue/task_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TaskTable MakeTable() {
  std::vector<FileTask> tasks(3);
  tasks[0].task.id = "c";
  tasks[1].task.id = "a";
  tasks[2].task.id = "b";
  return TaskTable(std::move(tasks));
}

StateChange Change(const std::string& id, TaskStatus status, int version) {
  StateChange change;
  change.task_id = id;
  change.status = status;
  change.version = version;
  return change;
}

TEST(TaskTableTest, TasksAreFoundByIdAndKeepTheirOrder) {
  const TaskTable table = MakeTable();
  EXPECT_EQ(table.Find("c"), 0u);
  EXPECT_EQ(table.Find("b"), 2u);
  EXPECT_EQ(table.Find("d"), std::nullopt);
  EXPECT_THAT(table.pending(), ElementsAre(0, 1, 2));
  EXPECT_THAT(table.claimed(), IsEmpty());
}

TEST(TaskTableTest, ChangesMoveTasksBetweenTheLists) {
  TaskTable table = MakeTable();
  table.Apply(Change("a", TaskStatus::kClaimed, 2));
  EXPECT_THAT(table.pending(), ElementsAre(0, 2));
  EXPECT_THAT(table.claimed(), ElementsAre(1));
  table.Apply(Change("a", TaskStatus::kPending, 3));
  EXPECT_THAT(table.pending(), ElementsAre(0, 1, 2));
  table.Apply(Change("a", TaskStatus::kClaimed, 4));
  table.Apply(Change("a", TaskStatus::kComplete, 5));
  EXPECT_THAT(table.pending(), ElementsAre(0, 2));
  EXPECT_THAT(table.claimed(), IsEmpty());
  EXPECT_EQ(table.record(1).version, 5);
  EXPECT_EQ(CountClaims(table.record(1).history), 2);
}

TEST(TaskTableTest, HistorySpeaksOfAResetWhereTheTaskBecamePendingAgain) {
  TaskTable table = MakeTable();
  table.Apply(Change("a", TaskStatus::kClaimed, 2));
  StateChange reset = Change("a", TaskStatus::kPending, 3);
  reset.failure_reason = "preempted";
  table.Apply(reset);
  const auto& history = table.record(1).history;
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[0].status, "claimed");
  EXPECT_EQ(history[1].status, "reset");
  EXPECT_EQ(history[1].failure_reason, "preempted");
}

// D26: what an earlier attempt left must not stand beside a later end.
TEST(TaskTableTest, CodeAndReasonOfAnEarlierAttemptDoNotSurvive) {
  TaskTable table = MakeTable();
  StateChange failed = Change("a", TaskStatus::kFailed, 2);
  failed.failure_reason = "no input";
  table.Apply(failed);
  StateChange complete = Change("a", TaskStatus::kComplete, 3);
  complete.exit_code = "0";
  table.Apply(complete);
  EXPECT_EQ(table.record(1).failure_reason, "");
  EXPECT_EQ(table.record(1).exit_code, "0");
}

TEST(TaskTableTest, ChangesOfUnknownTasksAreIgnored) {
  TaskTable table = MakeTable();
  table.Apply(Change("stranger", TaskStatus::kClaimed, 2));
  EXPECT_THAT(table.pending(), ElementsAre(0, 1, 2));
}

TEST(TaskTableTest, ClearForgetsEveryChange) {
  TaskTable table = MakeTable();
  table.Apply(Change("a", TaskStatus::kClaimed, 2));
  table.Apply(Change("b", TaskStatus::kFailed, 2));
  table.Clear();
  EXPECT_THAT(table.pending(), ElementsAre(0, 1, 2));
  EXPECT_THAT(table.claimed(), IsEmpty());
  EXPECT_EQ(table.record(2).version, kFirstVersion);
  EXPECT_THAT(table.record(2).history, IsEmpty());
}

}  // namespace
}  // namespace sparkles
