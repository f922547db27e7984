// Tests of the state lock. A suspended worker with the lock must not block other workers, and an
// unreachable file must keep its claims.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "queue/file_queue.h"
#include "queue/state_log.h"
#include "queue/task_states.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::HasSubstr;

class StateLockTest : public testing::Test {
 protected:
  static std::vector<FileTask> Tasks() {
    FileTask task;
    task.task.id = "job.1";
    task.task.args = "{\"command\": \"true\"}";
    return {task};
  }

  std::unique_ptr<FileQueue> Open() {
    auto queue =
        FileQueue::Open(tasks_path_, Tasks(), {.owner = "worker", .durable = false}, clock_);
    EXPECT_TRUE(queue.ok()) << queue.status();
    return queue.ok() ? *std::move(queue) : nullptr;
  }

  // The write lock, as a suspended worker holds it.
  UniqueFd HoldWriteLock() {
    auto state = OpenFile(StatePathOf(tasks_path_), O_RDWR | O_CREAT);
    EXPECT_TRUE(state.ok()) << state.status();
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_len = 1;
    EXPECT_EQ(fcntl(state->get(), F_OFD_SETLK, &lock), 0);
    return *std::move(state);
  }

  TempDirectory directory_;
  const std::string tasks_path_ = directory_ / "tasks.json";
  SystemClock clock_;
  CancelToken cancel_;
};

TEST_F(StateLockTest, LockedStateIsUnavailableUntilReleased) {
  const auto early = Open();
  UniqueFd held = HoldWriteLock();
  const auto late = Open();
  ASSERT_NE(late, nullptr);
  for (FileQueue* queue : {early.get(), late.get()}) {
    const absl::Status status = queue->ClaimOne(cancel_).status();
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("kept it locked"));
  }
  EXPECT_TRUE(absl::IsUnavailable(ReadStates(tasks_path_, Tasks()).status()));
  held.reset();
  const auto claim = late->ClaimOne(cancel_);
  ASSERT_TRUE(claim.ok()) << claim.status();
  EXPECT_TRUE(claim->has_value());
}

TEST_F(StateLockTest, ShortDirectoryAbsenceKeepsClaim) {
  const auto queue = Open();
  const auto claim = queue->ClaimOne(cancel_);
  ASSERT_TRUE(claim.ok() && claim->has_value()) << claim.status();
  Outcome complete;
  complete.kind = Outcome::Kind::kComplete;
  const std::string directory = DirectoryOf(tasks_path_);
  ASSERT_EQ(rename(directory.c_str(), (directory + ".away").c_str()), 0);
  EXPECT_FALSE(queue->Finish(**claim, complete).ok());
  ASSERT_EQ(rename((directory + ".away").c_str(), directory.c_str()), 0);
  EXPECT_TRUE(queue->Finish(**claim, complete).ok());
}

}  // namespace
}  // namespace sparkles
