#include "base/current_task.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <new>
#include <string>
#include <thread>

namespace sparkles {
namespace {

const absl::Time kNoon = absl::FromUnixMillis(1'769'860'800'123);

TEST(CurrentTaskTest, NewOneIsIdle) {
  const CurrentTask current;
  const TaskSnapshot seen = current.Read().value();
  EXPECT_EQ(seen.task_id, "");
  EXPECT_EQ(seen.phase, TaskPhase::kIdle);
}

TEST(CurrentTaskTest, PhasesAndTransfersAreRead) {
  CurrentTask current;
  current.Begin("job.1", kNoon);
  EXPECT_EQ(current.Read()->phase, TaskPhase::kPreparing);
  current.AddBytes(5);
  current.Enter(TaskPhase::kFetching, kNoon + absl::Seconds(2), 3);
  current.AddFile();
  current.AddBytes(100);
  current.AddBytes(20);
  const TaskSnapshot seen = current.Read().value();
  EXPECT_EQ(seen.task_id, "job.1");
  EXPECT_EQ(seen.phase, TaskPhase::kFetching);
  EXPECT_EQ(seen.task_since, kNoon);
  EXPECT_EQ(seen.phase_since, kNoon + absl::Seconds(2));
  EXPECT_EQ(seen.files, 3);
  EXPECT_EQ(seen.files_done, 1);
  EXPECT_EQ(seen.bytes_done, 120);
}

TEST(CurrentTaskTest, EndMakesItIdle) {
  CurrentTask current;
  current.Begin("job.1", kNoon);
  current.End();
  EXPECT_EQ(current.Read()->task_id, "");
  EXPECT_EQ(current.Read()->phase, TaskPhase::kIdle);
}

TEST(CurrentTaskTest, LongIdsAreCut) {
  CurrentTask current;
  const std::string fits(CurrentTask::kMaxIdBytes, 'x');
  current.Begin(fits, kNoon);
  EXPECT_EQ(current.Read()->task_id, fits);
  current.Begin(fits + "y", kNoon);
  EXPECT_EQ(current.Read()->task_id.size(), CurrentTask::kMaxIdBytes);
  EXPECT_EQ(current.Read()->task_id.back(), 'y');
  current.Begin("z", kNoon);
  EXPECT_EQ(current.Read()->task_id, "z");
}

TEST(CurrentTaskTest, ReadersSeeWholeChanges) {
  CurrentTask current;
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 20'000; ++i) {
      const char digit = static_cast<char>('0' + i % 10);
      current.Begin(std::string(CurrentTask::kMaxIdBytes, digit), absl::FromUnixMillis(digit));
    }
    done = true;
  });
  while (!done) {
    const auto seen = current.Read();
    if (!seen || seen->task_id.empty()) continue;
    const char digit = seen->task_id[0];
    EXPECT_EQ(seen->task_id, std::string(CurrentTask::kMaxIdBytes, digit));
    EXPECT_EQ(seen->task_since, absl::FromUnixMillis(digit));
  }
  writer.join();
}

// A child process writes without end and is killed, so that it often ends in the middle of a
// change.
TEST(CurrentTaskTest, KilledWriterDoesNoHarm) {
  void* const memory =
      mmap(nullptr, sizeof(CurrentTask), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* const current = new (memory) CurrentTask;
  for (int i = 0; i < 20; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    while (child == 0) current->Begin("job.1", kNoon);
    while (current->Read().value_or(TaskSnapshot()).task_id.empty()) sched_yield();
    ASSERT_EQ(kill(child, SIGKILL), 0);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    (void)current->Read();
    current->End();
    EXPECT_EQ(current->Read().value().task_id, "");
  }
  munmap(memory, sizeof(CurrentTask));
}

}  // namespace
}  // namespace sparkles
