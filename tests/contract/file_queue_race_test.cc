// Tests of many processes that claim from one file queue.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "queue/file_queue.h"
#include "queue/task_states.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

class FileQueueRace : public testing::Test {
 protected:
  // Retries like the consumer if another process holds the lock for long.
  static bool RetryWhileLocked(absl::FunctionRef<absl::Status()> attempt) {
    absl::Status status = attempt();
    for (int i = 0; i < 10 && absl::IsUnavailable(status); ++i) status = attempt();
    EXPECT_TRUE(status.ok()) << status;
    return status.ok();
  }

  static std::vector<FileTask> Tasks(int count) {
    std::vector<FileTask> tasks(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) tasks[static_cast<size_t>(i)].task.id = absl::StrCat("job.", i);
    return tasks;
  }

  // Claims and finishes tasks until none is left. Returns 0 on success.
  int Drain(int count) {
    SystemClock clock;
    auto queue =
        FileQueue::Open(tasks_path_, Tasks(count), {.owner = "worker", .durable = false}, clock);
    if (!queue.ok()) return 1;
    Outcome complete;
    complete.kind = Outcome::Kind::kComplete;
    complete.exit_code = "0";
    while (true) {
      absl::StatusOr<std::optional<Claim>> claim = std::nullopt;
      const bool claimed = RetryWhileLocked([&] {
        claim = (*queue)->ClaimOne(CancelToken());
        return claim.status();
      });
      if (!claimed) return 2;
      if (!claim->has_value()) return 0;
      if (!RetryWhileLocked([&] { return (*queue)->Finish(**claim, complete); })) return 3;
    }
  }

  // Drains one tasks file with this number of processes.
  void Race(int processes, int count) {
    std::vector<pid_t> pids;
    for (int i = 0; i < processes; ++i) {
      const pid_t pid = fork();
      if (pid == 0) _exit(Drain(count));
      pids.push_back(pid);
    }
    for (const pid_t pid : pids) {
      int status = -1;
      waitpid(pid, &status, 0);
      EXPECT_EQ(status, 0);
    }
    const std::string text = ReadFile(tasks_path_ + ".state", 1 << 30).value_or("");
    std::map<std::string, int> lines;
    for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
      const auto change = ParseStateChange(line);
      if (change.ok()) ++lines[absl::StrCat(change->task_id, " ", WireName(change->status))];
    }
    EXPECT_EQ(lines.size(), 2u * static_cast<size_t>(count));
    for (const auto& [line, times] : lines) EXPECT_EQ(times, 1) << line;
  }

  TempDirectory directory_;
  const std::string tasks_path_ = directory_ / "tasks.json";
};

TEST_F(FileQueueRace, TwoProcessesRunEachTaskOnce) { Race(2, 300); }
TEST_F(FileQueueRace, EightProcessesRunEachTaskOnce) { Race(8, 300); }

TEST_F(FileQueueRace, TenThousandTasksAreDrained) {
  EXPECT_EQ(Drain(10'000), 0);
  const auto states = ReadStates(tasks_path_, Tasks(10'000));
  ASSERT_TRUE(states.ok()) << states.status();
  ASSERT_EQ(states->size(), 10'000u);
  EXPECT_EQ(states->back().status, TaskStatus::kComplete);
}

}  // namespace
}  // namespace sparkles
