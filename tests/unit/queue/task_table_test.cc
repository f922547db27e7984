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

TEST(TaskTableTest, TasksAreFoundAndKeepOrder) {
  const TaskTable table = MakeTable();
  EXPECT_EQ(table.Find("c"), 0u);
  EXPECT_EQ(table.Find("b"), 2u);
  EXPECT_EQ(table.Find("d"), std::nullopt);
  EXPECT_THAT(table.pending(), ElementsAre(0, 1, 2));
  EXPECT_THAT(table.claimed(), IsEmpty());
}

TEST(TaskTableTest, ChangesMoveTasksBetweenLists) {
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

TEST(TaskTableTest, PendingAgainIsRecordedAsReset) {
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

// D26: the exit code and reason of an earlier attempt must not remain after a later end.
TEST(TaskTableTest, NewEndReplacesEarlierReason) {
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

FileTask TaskOf(const std::string& id, const std::string& args = "") {
  FileTask task;
  task.task.id = id;
  task.task.args = args;
  return task;
}

TEST(TaskTableTest, ChangesOfUnknownTasksAreKept) {
  TaskTable table = MakeTable();
  table.Apply(Change("late", TaskStatus::kClaimed, 2));
  EXPECT_THAT(table.pending(), ElementsAre(0, 1, 2));
  EXPECT_THAT(table.claimed(), IsEmpty());
  table.Append({TaskOf("late"), TaskOf("later")});
  EXPECT_THAT(table.pending(), ElementsAre(0, 1, 2, 4));
  EXPECT_THAT(table.claimed(), ElementsAre(3));
  EXPECT_EQ(table.record(3).version, 2);
}

TEST(TaskTableTest, ReplacedListKeepsStates) {
  TaskTable table = MakeTable();
  table.Apply(Change("a", TaskStatus::kClaimed, 2));
  table.Apply(Change("b", TaskStatus::kComplete, 3));
  const TaskChanges changes = table.Replace({TaskOf("b"), TaskOf("new"), TaskOf("c", "other")});
  EXPECT_EQ(changes.added, 1u);
  EXPECT_THAT(changes.changed, ElementsAre("c"));
  EXPECT_THAT(changes.removed, ElementsAre("a"));
  EXPECT_THAT(table.pending(), ElementsAre(1, 2));
  EXPECT_THAT(table.claimed(), IsEmpty());
  EXPECT_EQ(table.Find("a"), std::nullopt);
  ASSERT_NE(table.FindRecord("a"), nullptr) << "the worker may still end the task";
  EXPECT_EQ(table.FindRecord("a")->version, 2);
  EXPECT_EQ(table.record(0).status, TaskStatus::kComplete);
  table.Replace({TaskOf("a")});
  EXPECT_THAT(table.claimed(), ElementsAre(0));
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
