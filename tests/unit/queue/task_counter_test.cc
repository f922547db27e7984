#include "queue/task_counter.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "queue/file_queue.h"
#include "queue/state_log.h"
#include "queue/tasks_file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class TaskCounterTest : public testing::Test {
 protected:
  TaskCounterTest() { WriteTasks({"a", "b", "c", "d"}); }

  void WriteTasks(const std::vector<std::string>& ids) {
    std::string text;
    for (const std::string& id : ids) {
      absl::StrAppend(&text, R"({"task_id":")", id, R"(","args":{"command":"true"}})", "\n");
    }
    ASSERT_TRUE(WriteFileAtomically(path_, text, /*durable=*/false).ok());
    tasks_ = ReadTasksFile(path_)->tasks;
  }
  std::unique_ptr<FileQueue> OpenQueue() {
    return FileQueue::Open(path_, tasks_, {.owner = "worker", .durable = false}, clock_).value();
  }
  std::optional<Claim> ClaimOne(FileQueue& queue) { return queue.ClaimOne(never_).value(); }
  void Finish(FileQueue& queue, const Claim& claim, Outcome::Kind kind,
              const std::string& exit_code = "") {
    Outcome outcome;
    outcome.kind = kind;
    outcome.exit_code = exit_code;
    ASSERT_TRUE(queue.Finish(claim, outcome).ok());
  }

  TempDirectory directory_;
  const std::string path_ = directory_ / "tasks.json";
  std::vector<FileTask> tasks_;
  FakeClock clock_;
  const CancelToken never_;
};

TEST_F(TaskCounterTest, AllTasksWaitWithoutStateFile) {
  TaskCounter counter(path_, tasks_, clock_);
  const TaskCounts counts = counter.Count();
  EXPECT_EQ(counts.tasks, 4);
  EXPECT_EQ(counts.waiting, 4);
  EXPECT_EQ(counts.running + counts.complete + counts.failed, 0);
}

TEST_F(TaskCounterTest, ChangesOfOtherWorkersAreCounted) {
  TaskCounter counter(path_, tasks_, clock_);
  const auto queue = OpenQueue();
  Finish(*queue, *ClaimOne(*queue), Outcome::Kind::kComplete, "0");
  Finish(*queue, *ClaimOne(*queue), Outcome::Kind::kComplete, "3");
  EXPECT_EQ(counter.Count().complete, 2);
  Finish(*queue, *ClaimOne(*queue), Outcome::Kind::kFailed);
  const absl::Time claimed = clock_.Now();
  ASSERT_TRUE(ClaimOne(*queue));
  const TaskCounts counts = counter.Count();
  EXPECT_EQ(counts.tasks, 4);
  EXPECT_EQ(counts.complete, 2);
  EXPECT_EQ(counts.nonzero, 1);
  EXPECT_EQ(counts.failed, 1);
  EXPECT_EQ(counts.running, 1);
  EXPECT_EQ(counts.waiting, 0);
  EXPECT_THAT(counts.running_since, ElementsAre(claimed));
}

TEST_F(TaskCounterTest, OnlyTimesOfThisRunAreSummed) {
  const auto queue = OpenQueue();
  const auto early = ClaimOne(*queue);
  const auto later = ClaimOne(*queue);
  clock_.Advance(absl::Seconds(5));
  Finish(*queue, *early, Outcome::Kind::kComplete, "0");
  clock_.Advance(absl::Seconds(5));
  TaskCounter counter(path_, tasks_, clock_);
  clock_.Advance(absl::Seconds(20));
  Finish(*queue, *later, Outcome::Kind::kFailed);
  ASSERT_TRUE(ClaimOne(*queue));
  clock_.Advance(absl::Seconds(3));
  const TaskCounts counts = counter.Count();
  EXPECT_EQ(counts.ended, 1);
  EXPECT_EQ(counts.time_of_ended, absl::Seconds(30));
  EXPECT_EQ(counts.time_worked, absl::Seconds(20 + 3));
}

TEST_F(TaskCounterTest, ClaimOfDeadWorkerWaits) {
  TaskCounter counter(path_, tasks_, clock_);
  auto queue = OpenQueue();
  ASSERT_TRUE(ClaimOne(*queue));
  EXPECT_EQ(counter.Count().running, 1);
  queue.reset();  // its locks end
  const TaskCounts counts = counter.Count();
  EXPECT_EQ(counts.running, 0);
  EXPECT_EQ(counts.waiting, 4);
  EXPECT_THAT(counts.running_since, IsEmpty());
}

TEST_F(TaskCounterTest, HandedBackTaskWaits) {
  TaskCounter counter(path_, tasks_, clock_);
  const auto queue = OpenQueue();
  ASSERT_TRUE(queue->HandBack(*ClaimOne(*queue), "stopped").ok());
  EXPECT_EQ(counter.Count().waiting, 4);
  EXPECT_EQ(counter.Count().running, 0);
}

TEST_F(TaskCounterTest, ChangedListOfTasksIsCounted) {
  TaskCounter counter(path_, tasks_, clock_);
  const auto queue = OpenQueue();
  Finish(*queue, *ClaimOne(*queue), Outcome::Kind::kComplete, "0");
  EXPECT_EQ(counter.Count().complete, 1);
  WriteTasks({"b", "c", "d", "e", "f"});
  TaskCounts counts = counter.Count();
  EXPECT_EQ(counts.tasks, 5);
  EXPECT_EQ(counts.complete, 0) << "the task is not in the file";
  EXPECT_EQ(counts.waiting, 5);
  WriteTasks({"a", "b"});
  counts = counter.Count();
  EXPECT_EQ(counts.tasks, 2);
  EXPECT_EQ(counts.complete, 1) << "the task is in the file again";
}

TEST_F(TaskCounterTest, UnusableTasksFileChangesNothing) {
  TaskCounter counter(path_, tasks_, clock_);
  ASSERT_TRUE(WriteFileAtomically(path_, "no JSON", /*durable=*/false).ok());
  EXPECT_EQ(counter.Count().tasks, 4);
  ASSERT_EQ(unlink(path_.c_str()), 0);
  EXPECT_EQ(counter.Count().tasks, 4);
}

TEST_F(TaskCounterTest, IncompleteAndDamagedLinesAreSkipped) {
  StateChange change;
  change.task_id = "a";
  change.status = TaskStatus::kComplete;
  change.exit_code = "0";
  change.timestamp = clock_.Now();
  change.version = 2;
  const std::string line = FormatStateChange(change);
  const std::string damaged = absl::StrCat("x", line);
  const std::string start = absl::StrCat(FormatStateHeader(), damaged);
  const std::string state = StatePathOf(path_);
  TaskCounter counter(path_, tasks_, clock_);
  const auto fd = OpenFile(state, O_WRONLY | O_CREAT | O_APPEND);
  ASSERT_TRUE(WriteAll(fd->get(), absl::StrCat(start, line.substr(0, 20)), state).ok());
  EXPECT_EQ(counter.Count().complete, 0);
  ASSERT_TRUE(WriteAll(fd->get(), line.substr(20), state).ok());
  EXPECT_EQ(counter.Count().complete, 1);
}

TEST_F(TaskCounterTest, NewStateFileStartsOver) {
  TaskCounter counter(path_, tasks_, clock_);
  const auto queue = OpenQueue();
  Finish(*queue, *ClaimOne(*queue), Outcome::Kind::kComplete, "0");
  EXPECT_EQ(counter.Count().complete, 1);
  ASSERT_EQ(unlink(StatePathOf(path_).c_str()), 0);
  EXPECT_EQ(counter.Count().complete, 1);
  ASSERT_TRUE(ClaimOne(*OpenQueue()));
  EXPECT_EQ(counter.Count().complete, 0);
  EXPECT_EQ(counter.Count().tasks, 4);
}

}  // namespace
}  // namespace sparkles
