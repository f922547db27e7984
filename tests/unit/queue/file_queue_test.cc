#include "queue/file_queue.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

class FileQueueClaimTest : public testing::Test {
 protected:
  FileQueueClaimTest() { EXPECT_TRUE(WriteFileAtomically(path_, "[]", /*durable=*/false).ok()); }

  std::unique_ptr<FileQueue> Open(const std::string& path) {
    FileTask task;
    task.task.id = "a.1";
    auto queue = FileQueue::Open(path, {task}, {.owner = "worker", .durable = false}, clock_);
    EXPECT_TRUE(queue.ok()) << queue.status();
    return *std::move(queue);
  }
  std::optional<Claim> ClaimOne(FileQueue& queue) { return queue.ClaimOne(never_).value(); }

  TempDirectory directory_;
  const std::string path_ = directory_ / "tasks.json";
  FakeClock clock_;
  const CancelToken never_;
};

TEST_F(FileQueueClaimTest, UnrecordedClaimIsTakenAgain) {
  const auto queue = Open(path_);
  const auto claim = ClaimOne(*queue);
  ASSERT_TRUE(claim);
  queue->LeaveUnrecorded(*claim, Outcome());
  const auto again = ClaimOne(*queue);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->attempt, 2);
  Outcome complete;
  complete.kind = Outcome::Kind::kComplete;
  complete.exit_code = "0";
  EXPECT_TRUE(absl::IsAborted(queue->Finish(*claim, complete)));
  EXPECT_TRUE(queue->Finish(*again, complete).ok());
}

TEST_F(FileQueueClaimTest, LinkedTasksFileSharesState) {
  const std::string other = directory_ / "other.json";
  ASSERT_EQ(symlink(path_.c_str(), other.c_str()), 0);
  const auto queue = Open(path_);
  ASSERT_TRUE(ClaimOne(*queue));
  const auto alias = Open(other);
  EXPECT_FALSE(ClaimOne(*alias));
}

TEST_F(FileQueueClaimTest, InvalidTaskIsReportedOnce) {
  FileTask broken;
  broken.task.id = "a.1";
  broken.problem = "args: is missing";
  auto queue = FileQueue::Open(path_, {broken}, {.owner = "worker", .durable = false}, clock_);
  ASSERT_TRUE(queue.ok()) << queue.status();
  EXPECT_FALSE(ClaimOne(**queue));
  const auto ends = (*queue)->TakeRecordedEnds();
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].task_id, "a.1");
  EXPECT_EQ(ends[0].kind, Outcome::Kind::kFailed);
  EXPECT_EQ(ends[0].reason, "args: is missing");
  EXPECT_TRUE((*queue)->TakeRecordedEnds().empty()) << "once";
}

}  // namespace
}  // namespace sparkles
