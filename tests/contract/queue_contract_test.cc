// Tests of the contract of Queue, on the real queues and on the fakes.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "queue/file_queue.h"
#include "queue/task_entity.h"
#include "queue/task_states.h"
#include "tests/support/datastore_lab.h"
#include "tests/support/emulator.h"
#include "tests/support/fake_datastore.h"
#include "tests/support/mem_queue.h"
#include "tests/support/recorded_log.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

// The recorded state of a task.
struct Recorded {
  TaskStatus status = TaskStatus::kPending;
  std::string exit_code;
  std::string failure_reason;
};

// A set of tasks, and the queues of its workers.
class World {
 public:
  virtual ~World() = default;
  virtual std::unique_ptr<Queue> MakeQueue(const std::string& owner) = 0;
  virtual Recorded Look(const std::string& task_id) = 0;
  // Makes the task pending again without a reason, as a reset by the client does.
  virtual void Reset(const std::string& task_id) = 0;
};

class MemWorld : public World {
 public:
  explicit MemWorld(const std::vector<Task>& tasks) : tasks_(tasks, clock_) {}
  std::unique_ptr<Queue> MakeQueue(const std::string& owner) override {
    return std::make_unique<MemQueue>(tasks_, owner);
  }
  Recorded Look(const std::string& task_id) override {
    const MemTasks::Entry entry = tasks_.Find(task_id);
    return {entry.status, entry.exit_code, entry.failure_reason};
  }
  void Reset(const std::string& task_id) override { tasks_.Reset(task_id); }

 private:
  SystemClock clock_;
  MemTasks tasks_;
};

class FileWorld : public World {
 public:
  explicit FileWorld(const std::vector<Task>& tasks) {
    for (const Task& task : tasks) tasks_.push_back({task, ""});
  }
  std::unique_ptr<Queue> MakeQueue(const std::string& owner) override {
    auto queue = FileQueue::Open(directory_ / "tasks.json", tasks_,
                                 {.owner = owner, .durable = false}, clock_);
    EXPECT_TRUE(queue.ok()) << queue.status();
    return *std::move(queue);
  }
  Recorded Look(const std::string& task_id) override {
    const TaskState state = StateOf(task_id);
    return {state.status, state.exit_code, state.failure_reason};
  }
  void Reset(const std::string& task_id) override {
    StateChange change;
    change.task_id = task_id;
    change.version = 1000 + ++resets_;
    TaskTable table(tasks_);
    auto log = StateLog::Open(StatePathOf(directory_ / "tasks.json"), false, table);
    ASSERT_TRUE(log.ok()) << log.status();
    const auto right = log->Lock(table);
    ASSERT_TRUE(right.ok()) << right.status();
    ASSERT_TRUE(log->Append(change, table).ok());
  }

 private:
  TaskState StateOf(const std::string& task_id) {
    const auto states = ReadStates(directory_ / "tasks.json", tasks_);
    EXPECT_TRUE(states.ok()) << states.status();
    for (const TaskState& state : *states) {
      if (state.task_id == task_id) return state;
    }
    return {};
  }

  TempDirectory directory_;
  SystemClock clock_;
  std::vector<FileTask> tasks_;
  int resets_ = 0;
};

Recorded RecordedIn(const std::string& task_id, const Json& json) {
  const auto entity = Entity::Parse(json);
  EXPECT_TRUE(entity.ok()) << entity.status();
  Recorded recorded;
  recorded.status = ParseTaskStatus(*AsString(entity->Find("status"))).value();
  recorded.exit_code = AsString(entity->Find("exit_code")).value_or("");
  // Reasons of resets are only in the history.
  recorded.failure_reason = TaskEntity(task_id, *entity).History().back().failure_reason;
  return recorded;
}

// Uses the emulator.
class DatastoreWorld : public World {
 public:
  explicit DatastoreWorld(const std::vector<Task>& tasks) {
    for (const Task& task : tasks) lab_.Put(DatastoreLab::PendingTask(task));
  }
  std::unique_ptr<Queue> MakeQueue(const std::string& owner) override {
    return lab_.MakeQueue(owner);
  }
  Recorded Look(const std::string& task_id) override {
    return RecordedIn(task_id, {{"key", Json::object()}, {"properties", lab_.Properties(task_id)}});
  }
  void Reset(const std::string& task_id) override { lab_.Reset(task_id); }

 private:
  DatastoreLab lab_;
};

// Uses the fake Datastore of the simulator.
class FakeDatastoreWorld : public World {
 public:
  explicit FakeDatastoreWorld(const std::vector<Task>& tasks) {
    for (const Task& task : tasks) {
      datastore_.Put({kTaskKind, task.id}, DatastoreLab::PendingTask(task));
    }
  }
  std::unique_ptr<Queue> MakeQueue(const std::string& owner) override {
    return std::make_unique<DatastoreQueue>(
        DatastoreQueueOptions{DatastoreLab::kCluster, owner, nullptr}, client_, clock_, log_.log());
  }
  Recorded Look(const std::string& task_id) override {
    return RecordedIn(task_id, datastore_.Get({kTaskKind, task_id}));
  }
  void Reset(const std::string& task_id) override {
    Json task = datastore_.Get({kTaskKind, task_id});
    DatastoreLab::ResetProperties(task["properties"]);
    datastore_.Put({kTaskKind, task_id}, task);
  }

 private:
  SystemClock clock_;
  RecordedLog log_;
  FakeDatastore datastore_;
  ApiClient api_{{"http://datastore", nullptr}, datastore_, clock_};
  DatastoreClient client_{api_, "project"};
};

struct Kind {
  std::string name;
  std::function<std::unique_ptr<World>(const std::vector<Task>&)> make_world;
  bool needs_emulator = false;
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class QueueContract : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam().needs_emulator && EmulatorAddress().empty()) {
      GTEST_SKIP() << kNoEmulator;
    }
  }

  std::unique_ptr<World> MakeWorld(int count) {
    std::vector<Task> tasks;
    for (int i = 1; i <= count; ++i) {
      Task task;
      task.id = absl::StrCat("job.", i);
      task.job_id = "job";
      task.index = absl::StrCat(i);
      task.args = absl::StrCat("{\"command\": \"echo ", i, "\"}");
      tasks.push_back(task);
    }
    return GetParam().make_world(tasks);
  }

  // Repeats a claim that was aborted, as the consumer does.
  std::optional<Claim> ClaimOne(Queue& queue) {
    auto claim = queue.ClaimOne(cancel_);
    while (absl::IsAborted(claim.status())) claim = queue.ClaimOne(cancel_);
    EXPECT_TRUE(claim.ok()) << claim.status();
    return claim.ok() ? *claim : std::nullopt;
  }

  static Outcome Complete(const std::string& exit_code) {
    Outcome outcome;
    outcome.kind = Outcome::Kind::kComplete;
    outcome.exit_code = exit_code;
    return outcome;
  }

  CancelToken cancel_;
};

TEST_P(QueueContract, EachTaskIsClaimedOnce) {
  const auto world = MakeWorld(3);
  const auto queue = world->MakeQueue("a");
  std::set<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    const auto claim = ClaimOne(*queue);
    ASSERT_TRUE(claim);
    ids.insert(claim->task.id);
  }
  EXPECT_EQ(ids, (std::set<std::string>{"job.1", "job.2", "job.3"}));
  EXPECT_FALSE(ClaimOne(*queue));
}

TEST_P(QueueContract, ClaimCarriesAllTaskFields) {
  const auto world = MakeWorld(1);
  const auto queue = world->MakeQueue("a");
  const auto claim = ClaimOne(*queue);
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->task.id, "job.1");
  EXPECT_EQ(claim->task.job_id, "job");
  EXPECT_EQ(claim->task.index, "1");
  EXPECT_EQ(claim->task.args, "{\"command\": \"echo 1\"}");
  EXPECT_EQ(claim->attempt, 1);
  EXPECT_EQ(world->Look("job.1").status, TaskStatus::kClaimed);
}

TEST_P(QueueContract, TwoQueuesClaimDifferentTasks) {
  const auto world = MakeWorld(20);
  const auto first = world->MakeQueue("a");
  const auto second = world->MakeQueue("b");
  std::set<std::string> ids;
  for (int i = 0; i < 10; ++i) {
    const auto a = ClaimOne(*first);
    const auto b = ClaimOne(*second);
    ASSERT_TRUE(a && b);
    ids.insert(a->task.id);
    ids.insert(b->task.id);
  }
  EXPECT_EQ(ids.size(), 20u);
  EXPECT_FALSE(ClaimOne(*first));
  EXPECT_FALSE(ClaimOne(*second));
}

TEST_P(QueueContract, CancelledClaimTakesNoTask) {
  const auto world = MakeWorld(1);
  const auto queue = world->MakeQueue("a");
  cancel_.Cancel(CancelKind::kHandBack, "test");
  EXPECT_FALSE(ClaimOne(*queue));
  EXPECT_EQ(world->Look("job.1").status, TaskStatus::kPending);
}

TEST_P(QueueContract, EveryKindOfEndIsRecorded) {
  const auto world = MakeWorld(3);
  const auto queue = world->MakeQueue("a");
  const auto first = ClaimOne(*queue);
  const auto second = ClaimOne(*queue);
  const auto third = ClaimOne(*queue);
  ASSERT_TRUE(first && second && third);
  Outcome failed;
  failed.failure_reason = "no such input";
  Outcome killed;
  killed.kind = Outcome::Kind::kKilled;
  killed.failure_reason = "the job was killed";
  EXPECT_TRUE(queue->Finish(*first, Complete("3")).ok());
  EXPECT_TRUE(queue->Finish(*second, failed).ok());
  EXPECT_TRUE(queue->Finish(*third, killed).ok());
  EXPECT_EQ(world->Look(first->task.id).status, TaskStatus::kComplete);
  EXPECT_EQ(world->Look(first->task.id).exit_code, "3");
  EXPECT_EQ(world->Look(second->task.id).status, TaskStatus::kFailed);
  EXPECT_EQ(world->Look(second->task.id).failure_reason, "no such input");
  EXPECT_EQ(world->Look(third->task.id).status, TaskStatus::kKilled);
  EXPECT_EQ(world->Look(third->task.id).failure_reason, "the job was killed");
  EXPECT_FALSE(ClaimOne(*queue));
}

TEST_P(QueueContract, ClaimEndsOnlyOnce) {
  const auto world = MakeWorld(1);
  const auto queue = world->MakeQueue("a");
  const auto claim = ClaimOne(*queue);
  ASSERT_TRUE(claim);
  ASSERT_TRUE(queue->Finish(*claim, Complete("0")).ok());
  EXPECT_TRUE(absl::IsAborted(queue->Finish(*claim, Complete("1"))));
  EXPECT_TRUE(absl::IsAborted(queue->HandBack(*claim, "too late")));
  EXPECT_EQ(world->Look("job.1").exit_code, "0");
}

TEST_P(QueueContract, OutcomeWithoutEndIsRefused) {
  const auto world = MakeWorld(1);
  const auto queue = world->MakeQueue("a");
  const auto claim = ClaimOne(*queue);
  ASSERT_TRUE(claim);
  Outcome outcome;
  for (const auto kind : {Outcome::Kind::kHandBack, Outcome::Kind::kClaimLost}) {
    outcome.kind = kind;
    EXPECT_TRUE(absl::IsInvalidArgument(queue->Finish(*claim, outcome)));
  }
  EXPECT_EQ(world->Look("job.1").status, TaskStatus::kClaimed);
}

TEST_P(QueueContract, HandedBackTaskGetsNewAttempt) {
  const auto world = MakeWorld(1);
  const auto first = world->MakeQueue("a");
  const auto second = world->MakeQueue("b");
  const auto claim = ClaimOne(*first);
  ASSERT_TRUE(claim);
  ASSERT_TRUE(first->HandBack(*claim, "preempted").ok());
  EXPECT_EQ(world->Look("job.1").status, TaskStatus::kPending);
  const auto again = ClaimOne(*second);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->attempt, 2);
  EXPECT_GT(again->version, claim->version);
}

// D17: an old worker must not finish what another worker has claimed since.
TEST_P(QueueContract, LostClaimCannotEndTask) {
  const auto world = MakeWorld(1);
  const auto first = world->MakeQueue("same owner");
  const auto claim = ClaimOne(*first);
  ASSERT_TRUE(claim);
  world->Reset("job.1");
  EXPECT_TRUE(absl::IsAborted(first->Finish(*claim, Complete("0"))));
  const auto second = world->MakeQueue("same owner");
  const auto again = ClaimOne(*second);
  ASSERT_TRUE(again);
  EXPECT_TRUE(absl::IsAborted(first->Finish(*claim, Complete("1"))));
  EXPECT_TRUE(absl::IsAborted(first->HandBack(*claim, "late")));
  EXPECT_TRUE(second->Finish(*again, Complete("2")).ok());
  EXPECT_EQ(world->Look("job.1").exit_code, "2");
}

TEST_P(QueueContract, CheckConfirmsOwnClaim) {
  const auto world = MakeWorld(1);
  const auto queue = world->MakeQueue("a");
  const auto claim = ClaimOne(*queue);
  ASSERT_TRUE(claim);
  EXPECT_EQ(queue->Check(*claim, cancel_).value(), ClaimState::kHeld);
}

TEST_P(QueueContract, OlderClaimCannotEndTask) {
  const auto world = MakeWorld(1);
  const auto queue = world->MakeQueue("a");
  const auto old_claim = ClaimOne(*queue);
  ASSERT_TRUE(old_claim && queue->HandBack(*old_claim, "preempted").ok());
  const auto new_claim = ClaimOne(*queue);
  ASSERT_TRUE(new_claim);
  EXPECT_TRUE(absl::IsAborted(queue->Finish(*old_claim, Complete("1"))));
  EXPECT_TRUE(queue->Finish(*new_claim, Complete("0")).ok());
  EXPECT_EQ(world->Look("job.1").exit_code, "0");
}

// D30: a task that kills its workers must not be claimed without limit.
TEST_P(QueueContract, TenAbandonedClaimsFailTask) {
  const auto world = MakeWorld(1);
  const auto queue = world->MakeQueue("a");
  for (int i = 0; i < kMaxAbandonedClaims; ++i) {
    const auto claim = ClaimOne(*queue);
    ASSERT_TRUE(claim);
    EXPECT_EQ(claim->attempt, i + 1);
    world->Reset("job.1");
    ASSERT_TRUE(absl::IsAborted(queue->Finish(*claim, Complete("0"))));
  }
  EXPECT_FALSE(ClaimOne(*queue));
  EXPECT_EQ(world->Look("job.1").status, TaskStatus::kFailed);
  EXPECT_NE(world->Look("job.1").failure_reason, "");
}

TEST_P(QueueContract, OnlyMachineFaultHandBacksCount) {
  const auto world = MakeWorld(1);
  const auto queue = world->MakeQueue("a");
  for (int i = 0; i < 30 + kMaxMachineFaultsOfTask; ++i) {
    const auto claim = ClaimOne(*queue);
    ASSERT_TRUE(claim) << i;
    ASSERT_TRUE(queue->HandBack(*claim, i < 30 ? "preempted" : "machine fault: no space").ok());
  }
  EXPECT_FALSE(ClaimOne(*queue));
  EXPECT_EQ(world->Look("job.1").status, TaskStatus::kFailed);
}

template <typename AnyWorld>
std::unique_ptr<World> Make(const std::vector<Task>& tasks) {
  return std::make_unique<AnyWorld>(tasks);
}

INSTANTIATE_TEST_SUITE_P(Queues, QueueContract,
                         testing::Values(Kind{"Mem", Make<MemWorld>}, Kind{"File", Make<FileWorld>},
                                         Kind{"Datastore", Make<DatastoreWorld>, true},
                                         Kind{"FakeDatastore", Make<FakeDatastoreWorld>}),
                         [](const testing::TestParamInfo<Kind>& kind) { return kind.param.name; });

}  // namespace
}  // namespace sparkles
