// Tests of the file queue with several processes: killed workers and damaged state files.
#include "queue/file_queue.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "queue/task_states.h"
#include "tests/support/recorded_log.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class FileQueueTest : public testing::Test {
 protected:
  static std::vector<FileTask> Tasks(int count) {
    std::vector<FileTask> tasks;
    for (int i = 1; i <= count; ++i) {
      FileTask task;
      task.task.id = absl::StrCat("job.", i);
      task.task.args = "{\"command\": \"true\"}";
      tasks.push_back(task);
    }
    return tasks;
  }

  absl::StatusOr<std::unique_ptr<FileQueue>> TryOpen(int count) {
    return FileQueue::Open(tasks_path_, Tasks(count), {.owner = "worker", .durable = false},
                           clock_);
  }

  std::unique_ptr<FileQueue> Open(int count) {
    auto queue = TryOpen(count);
    EXPECT_TRUE(queue.ok()) << queue.status();
    return queue.ok() ? *std::move(queue) : nullptr;
  }

  std::optional<Claim> ClaimOne(FileQueue& queue) {
    auto claim = queue.ClaimOne(cancel_);
    EXPECT_TRUE(claim.ok()) << claim.status();
    return claim.ok() ? *claim : std::nullopt;
  }

  std::vector<TaskState> States(int count) {
    auto states = ReadStates(tasks_path_, Tasks(count));
    EXPECT_TRUE(states.ok()) << states.status();
    return states.ok() ? *states : std::vector<TaskState>();
  }

  std::string StateText() { return ReadFile(state_path_, 1 << 30).value_or(""); }

  void AppendText(const std::string& text) {
    const auto fd = OpenFile(state_path_, O_WRONLY | O_APPEND | O_CREAT);
    ASSERT_TRUE(fd.ok() && WriteAll(fd->get(), text, state_path_).ok());
  }

  // Runs `body` in a new process, which exits with its result.
  static pid_t Fork(const std::function<int()>& body) {
    const pid_t pid = fork();
    if (pid == 0) _exit(body());
    return pid;
  }

  // Starts a process that claims one task and then waits for KILL. Returns after the claim.
  pid_t ForkClaimer(int count) {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    const pid_t pid = Fork([&] {
      const auto queue = Open(count);
      const auto claim = ClaimOne(*queue);
      (void)!write(ready[1], claim ? "y" : "n", 1);
      return pause();
    });
    close(ready[1]);
    char answer = 0;
    EXPECT_EQ(read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y');
    close(ready[0]);
    return pid;
  }

  static void Kill(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }

  static Outcome Complete() {
    Outcome outcome;
    outcome.kind = Outcome::Kind::kComplete;
    outcome.exit_code = "0";
    return outcome;
  }

  TempDirectory directory_;
  const std::string tasks_path_ = directory_ / "tasks.json";
  const std::string state_path_ = tasks_path_ + ".state";
  SystemClock clock_;
  CancelToken cancel_;
};

TEST_F(FileQueueTest, SecondRunContinuesFirst) {
  {
    const auto queue = Open(2);
    const auto claim = ClaimOne(*queue);
    ASSERT_TRUE(claim && queue->Finish(*claim, Complete()).ok());
  }
  const auto queue = Open(2);
  const auto claim = ClaimOne(*queue);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->task.id, "job.2");
  EXPECT_EQ(claim->attempt, 1);
  EXPECT_FALSE(ClaimOne(*queue));
}

TEST_F(FileQueueTest, HandedBackTaskComesLast) {
  const auto queue = Open(3);
  const auto first = ClaimOne(*queue);
  ASSERT_TRUE(first && queue->HandBack(*first, "disk full").ok());
  std::vector<std::string> order;
  while (const auto claim = ClaimOne(*queue)) order.push_back(claim->task.id);
  EXPECT_THAT(order, testing::ElementsAre("job.2", "job.3", "job.1"));
}

TEST_F(FileQueueTest, SeveralHandedBackTasksComeLast) {
  const auto queue = Open(3);
  for (const char* id : {"job.1", "job.2"}) {
    const auto claim = ClaimOne(*queue);
    ASSERT_TRUE(claim && claim->task.id == id && queue->HandBack(*claim, "disk full").ok());
  }
  std::vector<std::string> order;
  while (const auto claim = ClaimOne(*queue)) order.push_back(claim->task.id);
  EXPECT_THAT(order, testing::ElementsAre("job.3", "job.1", "job.2"));
}

TEST_F(FileQueueTest, DeadWorkerClaimIsTakenOver) {
  const pid_t pid = ForkClaimer(1);
  const auto queue = Open(1);
  EXPECT_FALSE(ClaimOne(*queue)) << "the other worker is alive";
  EXPECT_FALSE(States(1)[0].abandoned);
  Kill(pid);
  EXPECT_TRUE(States(1)[0].abandoned);
  const auto claim = ClaimOne(*queue);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->attempt, 2);
  EXPECT_THAT(StateText(), HasSubstr("\"failure_reason\":\"abandoned: its worker (worker) ended "
                                     "without finishing the task\""));
}

TEST_F(FileQueueTest, AbandonedTaskComesLast) {
  Kill(ForkClaimer(2));
  const auto queue = Open(2);
  EXPECT_EQ(ClaimOne(*queue)->task.id, "job.2");
  EXPECT_EQ(ClaimOne(*queue)->task.id, "job.1");
}

TEST_F(FileQueueTest, HeldLockDescriptorKeepsClaim) {
  auto dead = Open(1);
  ASSERT_TRUE(ClaimOne(*dead));
  UniqueFd held(dup(dead->lock_fd()));
  dead.reset();
  const auto queue = Open(1);
  EXPECT_FALSE(ClaimOne(*queue));
  held.reset();
  EXPECT_TRUE(ClaimOne(*queue));
}

TEST_F(FileQueueTest, OwnClaimIsNotAbandoned) {
  const auto queue = Open(1);
  ASSERT_TRUE(ClaimOne(*queue));
  EXPECT_FALSE(ClaimOne(*queue));
}

TEST_F(FileQueueTest, TenAbandonedClaimsFailTask) {
  for (int i = 0; i < kMaxAbandonedClaims; ++i) ASSERT_TRUE(ClaimOne(*Open(1)));
  EXPECT_FALSE(ClaimOne(*Open(1)));
  const TaskState state = States(1)[0];
  EXPECT_EQ(state.status, TaskStatus::kFailed);
  EXPECT_EQ(state.attempts, kMaxAbandonedClaims);
  EXPECT_THAT(state.failure_reason, HasSubstr("failed after 10 abandoned claims"));
}

TEST_F(FileQueueTest, InvalidTaskIsRecordedAsFailed) {
  auto tasks = Tasks(2);
  tasks[0].problem = "args: is missing or empty";
  auto queue = FileQueue::Open(tasks_path_, tasks, {.owner = "worker", .durable = false}, clock_);
  ASSERT_TRUE(queue.ok());
  EXPECT_EQ(ClaimOne(**queue)->task.id, "job.2");
  EXPECT_EQ(States(2)[0].status, TaskStatus::kFailed);
  EXPECT_EQ(States(2)[0].failure_reason, "args: is missing or empty");
}

TEST_F(FileQueueTest, TornLastLineIsRemoved) {
  ASSERT_TRUE(ClaimOne(*Open(2)));
  const std::string whole = StateText();
  AppendText("{\"task_id\":\"job.2\",\"status\":\"comp");
  EXPECT_EQ(States(2)[1].status, TaskStatus::kPending);
  const auto queue = Open(2);
  EXPECT_EQ(StateText(), whole);
  EXPECT_EQ(ClaimOne(*queue)->task.id, "job.2");
}

TEST_F(FileQueueTest, TornHeaderIsWrittenAgain) {
  AppendText("{\"form");
  const auto queue = Open(1);
  EXPECT_EQ(StateText(), FormatStateHeader());
}

TEST_F(FileQueueTest, DamagedLineIsSkippedAndNamed) {
  {
    const auto queue = Open(2);
    for (int i = 0; i < 2; ++i) {
      const auto claim = ClaimOne(*queue);
      ASSERT_TRUE(claim && queue->Finish(*claim, Complete()).ok());
    }
  }
  std::string text = StateText();
  text[text.find("complete")] = 'C';  // line 3, the end of the first task
  ASSERT_TRUE(WriteFileAtomically(state_path_, text, false).ok());
  std::vector<std::string> damage;
  const auto states = ReadStates(tasks_path_, Tasks(2), &damage);
  ASSERT_TRUE(states.ok()) << states.status();
  EXPECT_THAT(damage, testing::ElementsAre(
                          state_path_ + ": line 3: has a wrong checksum; the line is skipped, and "
                                        "its task may run again"));
  EXPECT_TRUE((*states)[0].abandoned);
  EXPECT_EQ((*states)[1].status, TaskStatus::kComplete);
  RecordedLog recorded;
  const Log log = recorded.log();
  auto queue = FileQueue::Open(tasks_path_, Tasks(2),
                               {.owner = "worker", .durable = false, .log = &log}, clock_);
  ASSERT_TRUE(queue.ok()) << queue.status();
  EXPECT_EQ(ClaimOne(**queue)->task.id, "job.1");
  EXPECT_FALSE(ClaimOne(**queue));
  EXPECT_THAT(recorded.Text(), HasSubstr("line 3: has a wrong checksum"));
  EXPECT_EQ(StateText().substr(0, text.size()), text) << "the damaged line must stay";
}

TEST_F(FileQueueTest, DamagedByteAffectsOneTask) {
  {
    const auto queue = Open(3);
    for (int i = 0; i < 3; ++i) {
      const auto claim = ClaimOne(*queue);
      ASSERT_TRUE(claim && queue->Finish(*claim, Complete()).ok());
    }
  }
  const std::string text = StateText();
  const size_t version = text.find('1');  // the version of the format; another version is refused
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == version) continue;
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    ASSERT_TRUE(WriteFileAtomically(state_path_, damaged, false).ok());
    int lost = 0;
    for (const TaskState& state : States(3)) lost += state.status != TaskStatus::kComplete;
    EXPECT_LE(lost, 1) << "byte " << i;
  }
}

TEST_F(FileQueueTest, OlderStateVersionIsRead) {
  AppendText(FormatStateHeader() +
             R"({"task_id":"job.1","status":"claimed","owner":"w","timestamp":1,"version":2})"
             "\n"
             R"({"task_id":"job.1","status":"complete","timestamp":2,"version":3,"exit_code":"0"})"
             "\n");
  EXPECT_EQ(States(2)[0].status, TaskStatus::kComplete);
  EXPECT_EQ(ClaimOne(*Open(2))->task.id, "job.2");
}

TEST_F(FileQueueTest, NewerStateVersionIsRefused) {
  AppendText("{\"format\":\"sparkles-state-2\"}\n");
  EXPECT_THAT(std::string(TryOpen(1).status().message()), HasSubstr("newer sparklesworker"));
}

TEST_F(FileQueueTest, ForeignStateFileIsLeftAlone) {
  for (const std::string text : {"a,b\n1,2\n", "{}\n", "[]\n", "\n", "a note", "{\"form\": 1}"}) {
    ASSERT_TRUE(WriteFileAtomically(state_path_, text, false).ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(TryOpen(1).status())) << text;
    EXPECT_EQ(StateText(), text);
  }
}

TEST_F(FileQueueTest, OverlongStateLineIsRefused) {
  AppendText(FormatStateHeader() + std::string(3 << 20, 'x'));
  EXPECT_THAT(std::string(TryOpen(1).status().message()), HasSubstr("line 2: is too long"));
}

// With a new state file, the worker would run the same task again and again.
TEST_F(FileQueueTest, LostStateFileEndsWorkers) {
  const std::pair<std::string, std::function<int()>> ways[] = {
      {"removed", [&] { return unlink(state_path_.c_str()); }},
      {"replaced",
       [&] { return WriteFileAtomically(state_path_, FormatStateHeader(), false).ok() ? 0 : 1; }},
      {"cut", [&] { return truncate(state_path_.c_str(), 0); }}};
  for (const auto& [how, way] : ways) {
    (void)unlink(state_path_.c_str());
    const auto queue = Open(2);
    const auto claim = ClaimOne(*queue);
    ASSERT_TRUE(claim);
    ASSERT_EQ(way(), 0);
    for (int i = 0; i < 2; ++i) {
      const absl::Status ended = queue->Finish(*claim, Complete());
      EXPECT_TRUE(absl::IsFailedPrecondition(ended)) << ended;
      const absl::Status claimed = queue->ClaimOne(cancel_).status();
      EXPECT_TRUE(absl::IsFailedPrecondition(claimed)) << claimed;
      EXPECT_THAT(std::string(claimed.message()),
                  HasSubstr(state_path_ + ": was " + how + " while this worker ran"));
    }
    const auto later = Open(2);
    EXPECT_EQ(ClaimOne(*later)->attempt, 1) << "the next worker starts with a new state";
  }
}

TEST_F(FileQueueTest, RestoredStateFileIsUsed) {
  const auto queue = Open(2);
  const auto claim = ClaimOne(*queue);
  const std::string away = directory_ / "away";
  ASSERT_EQ(rename(state_path_.c_str(), away.c_str()), 0);
  EXPECT_TRUE(absl::IsNotFound(queue->ClaimOne(cancel_).status()));
  ASSERT_EQ(rename(away.c_str(), state_path_.c_str()), 0);
  EXPECT_TRUE(claim && queue->Finish(*claim, Complete()).ok());
}

TEST_F(FileQueueTest, UnwritableStateErrorNamesReason) {
  const auto queue = FileQueue::Open(directory_ / "missing/tasks.json", Tasks(1),
                                     {.owner = "w", .durable = false}, clock_);
  EXPECT_THAT(std::string(queue.status().message()),
              StartsWith(directory_ / "missing/tasks.json.state: No such file or directory"));
}

// A limit on the size of files acts like a full disk.
TEST_F(FileQueueTest, PartialStateLineIsRemoved) {
  const pid_t pid = Fork([&] {
    const auto queue = Open(1);
    const auto claim = ClaimOne(*queue);
    const std::string before = StateText();
    signal(SIGXFSZ, SIG_IGN);
    const rlim_t full = before.size() + 10;
    const struct rlimit limit = {full, full};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    if (queue->Finish(*claim, Complete()).ok()) return 2;
    return StateText() == before ? 0 : 3;
  });
  int status = -1;
  waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(States(1)[0].abandoned);
}

TEST_F(FileQueueTest, DurableQueueFinishesTask) {
  auto queue = FileQueue::Open(tasks_path_, Tasks(1), {.owner = "worker", .durable = true}, clock_);
  ASSERT_TRUE(queue.ok());
  const auto claim = ClaimOne(**queue);
  ASSERT_TRUE(claim);
  EXPECT_TRUE((*queue)->Finish(*claim, Complete()).ok());
}

TEST_F(FileQueueTest, RestoredTaskKeepsState) {
  {
    const auto queue = Open(2);
    const auto first = ClaimOne(*queue);
    const auto second = ClaimOne(*queue);
    ASSERT_TRUE(queue->Finish(*first, Complete()).ok());
    ASSERT_TRUE(queue->Finish(*second, Complete()).ok());
  }
  EXPECT_FALSE(ClaimOne(*Open(1)));
  EXPECT_FALSE(ClaimOne(*Open(2)));
}

TEST_F(FileQueueTest, MissingStateFileMeansPending) {
  const auto states = States(2);
  ASSERT_EQ(states.size(), 2u);
  EXPECT_EQ(states[0].status, TaskStatus::kPending);
  EXPECT_EQ(states[0].attempts, 0);
  EXPECT_NE(access(state_path_.c_str(), F_OK), 0) << "reading must not create the file";
}

TEST_F(FileQueueTest, StatesHoldOwnerTimeAndReason) {
  const auto queue = Open(3);
  const auto first = ClaimOne(*queue);
  const auto second = ClaimOne(*queue);
  Outcome failed;
  failed.failure_reason = std::string(10'000, 'x');
  ASSERT_TRUE(queue->Finish(*first, failed).ok());
  ASSERT_TRUE(queue->HandBack(*second, "preempted").ok());
  const auto states = States(3);
  EXPECT_EQ(states[0].owner, "worker");
  EXPECT_EQ(states[0].failure_reason.size(), kMaxFailureReasonBytes);
  EXPECT_GE(states[0].last_changed, states[0].last_claimed);
  EXPECT_GT(states[0].last_claimed, absl::UnixEpoch());
  EXPECT_EQ(states[1].status, TaskStatus::kPending);
  EXPECT_EQ(states[1].owner, "");
  EXPECT_EQ(states[1].failure_reason, "preempted");
  EXPECT_EQ(states[1].attempts, 1);
  EXPECT_EQ(states[2].last_changed, absl::InfinitePast());
}

}  // namespace
}  // namespace sparkles
