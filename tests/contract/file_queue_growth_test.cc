// Tests of the file queue while its tasks file changes: old and new workers share one file.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "queue/file_queue.h"
#include "tests/support/recorded_log.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string Entry(const std::string& id, const std::string& command = "true") {
  return absl::StrCat(R"({"task_id": ")", id, R"(", "args": {"command": ")", command, R"("}})");
}

// A queue with its own view of the tasks file.
struct Worker {
  std::unique_ptr<TasksFileWatch> watch;
  std::unique_ptr<FileQueue> queue;
};

class FileQueueGrowthTest : public testing::Test {
 protected:
  void WriteArray(const std::vector<std::string>& entries) {
    const std::string text = absl::StrCat("[", absl::StrJoin(entries, ","), "]");
    ASSERT_TRUE(WriteFileAtomically(path_, text, false).ok());
  }
  void AppendText(const std::string& text) {
    const auto fd = OpenFile(path_, O_WRONLY | O_APPEND | O_CREAT);
    ASSERT_TRUE(fd.ok() && WriteAll(fd->get(), text, path_).ok());
  }

  Worker Open(const Log* log = nullptr) {
    Worker worker;
    worker.watch = std::make_unique<TasksFileWatch>(path_, clock_);
    auto file = worker.watch->Read();
    EXPECT_TRUE(file.ok()) << file.status();
    auto queue = FileQueue::Open(
        path_, std::move(file->tasks),
        {.owner = "worker", .durable = false, .watch = worker.watch.get(), .log = log}, clock_);
    EXPECT_TRUE(queue.ok()) << queue.status();
    worker.queue = *std::move(queue);
    return worker;
  }

  std::optional<Claim> ClaimOne(Worker& worker) {
    auto claim = worker.queue->ClaimOne(cancel_);
    EXPECT_TRUE(claim.ok()) << claim.status();
    return claim.ok() ? *claim : std::nullopt;
  }
  std::string ClaimedBy(Worker& worker) {
    const auto claim = ClaimOne(worker);
    return claim ? claim->task.id : "";
  }

  static Outcome Complete() {
    Outcome outcome;
    outcome.kind = Outcome::Kind::kComplete;
    outcome.exit_code = "0";
    return outcome;
  }

  TempDirectory directory_;
  const std::string path_ = directory_ / "tasks.json";
  SystemClock clock_;
  CancelToken cancel_;
};

TEST_F(FileQueueGrowthTest, AddedTasksRunInFileOrder) {
  WriteArray({Entry("a"), Entry("c")});
  Worker worker = Open();
  EXPECT_EQ(ClaimedBy(worker), "a");
  WriteArray({Entry("a"), Entry("b"), Entry("c"), Entry("d")});
  EXPECT_EQ(ClaimedBy(worker), "b");
  EXPECT_EQ(ClaimedBy(worker), "c");
  EXPECT_EQ(ClaimedBy(worker), "d");
  EXPECT_EQ(ClaimedBy(worker), "");
}

TEST_F(FileQueueGrowthTest, TaskEndedElsewhereIsNotRepeated) {
  WriteArray({Entry("a")});
  Worker old = Open();
  WriteArray({Entry("a"), Entry("b"), Entry("c")});
  Worker young = Open();
  EXPECT_EQ(ClaimedBy(young), "a");
  const auto b = ClaimOne(young);
  ASSERT_TRUE(b && young.queue->Finish(*b, Complete()).ok());
  // The old worker reads the end of "b" before it reads the task itself.
  WriteArray({Entry("a")});
  EXPECT_EQ(ClaimedBy(old), "");
  WriteArray({Entry("a"), Entry("b"), Entry("c")});
  EXPECT_EQ(ClaimedBy(old), "c");
}

TEST_F(FileQueueGrowthTest, RemovedRunningTaskIsFinished) {
  WriteArray({Entry("a"), Entry("b")});
  RecordedLog recorded;
  const Log log = recorded.log();
  Worker worker = Open(&log);
  const auto a = ClaimOne(worker);
  ASSERT_TRUE(a);
  WriteArray({Entry("c")});
  EXPECT_EQ(ClaimedBy(worker), "c");
  EXPECT_TRUE(worker.queue->Finish(*a, Complete()).ok());
  EXPECT_THAT(recorded.Text(), AllOf(HasSubstr("1 tasks were added"),
                                     HasSubstr("tasks were removed and do not run: a, b")));
}

TEST_F(FileQueueGrowthTest, ChangedPendingTaskUsesNewArgs) {
  WriteArray({Entry("a"), Entry("b", "old")});
  RecordedLog recorded;
  const Log log = recorded.log();
  Worker worker = Open(&log);
  ClaimOne(worker);
  WriteArray({Entry("a", "other"), Entry("b", "new")});
  const auto claim = ClaimOne(worker);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->task.args, R"({"command":"new"})");
  EXPECT_THAT(recorded.Text(), HasSubstr("tasks were changed: a, b"));
}

TEST_F(FileQueueGrowthTest, BrokenFileIsErrorOnceDrained) {
  WriteArray({Entry("a")});
  Worker worker = Open();
  ASSERT_TRUE(WriteFileAtomically(path_, "[oops", false).ok());
  EXPECT_EQ(ClaimedBy(worker), "a") << "the worker uses the last valid content";
  const absl::Status status = worker.queue->ClaimOne(cancel_).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is not valid JSON"));
  CancelToken cancelled;
  cancelled.Cancel(CancelKind::kAbort, "");
  EXPECT_TRUE(worker.queue->ClaimOne(cancelled).ok());
}

// Four workers drain JSON Lines that grow in pieces, which may end inside a line.
TEST_F(FileQueueGrowthTest, FourWorkersRunAppendedTasksOnce) {
  constexpr int kTasks = 200;
  AppendText(Entry("job.0") + "\n");
  std::vector<pid_t> pids;
  for (int i = 0; i < 4; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      Worker worker = Open();
      while (access((directory_ / "stop").c_str(), F_OK) != 0) {
        const auto claim = worker.queue->ClaimOne(cancel_);
        if (!claim.ok() || !claim->has_value()) continue;
        if (!worker.queue->Finish(**claim, Complete()).ok()) _exit(1);
      }
      _exit(0);
    }
    pids.push_back(pid);
  }
  std::string text;
  for (int i = 1; i < kTasks; ++i) {
    absl::StrAppend(&text, Entry(absl::StrCat("job.", i)), "\n");
  }
  for (size_t at = 0, piece = 1; at < text.size(); at += piece, piece = piece % 97 + 13) {
    AppendText(text.substr(at, piece));
    usleep(200);
  }
  std::map<std::string, int> lines;
  for (int tries = 0; tries < 1000; ++tries) {
    lines.clear();
    const std::string state = ReadFile(path_ + ".state", 1 << 30).value_or("");
    for (const absl::string_view line : absl::StrSplit(state, '\n', absl::SkipEmpty())) {
      const auto change = ParseStateChange(line);
      if (change.ok()) ++lines[absl::StrCat(change->task_id, " ", WireName(change->status))];
    }
    if (lines.size() == 2 * kTasks) break;
    usleep(10'000);
  }
  ASSERT_TRUE(WriteFileAtomically(directory_ / "stop", "", false).ok());
  for (const pid_t pid : pids) {
    int status = -1;
    waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(lines.size(), 2u * kTasks);
  for (const auto& [line, times] : lines) EXPECT_EQ(times, 1) << line;
}

}  // namespace
}  // namespace sparkles
