// Tests of many workers with few tasks, on Google's emulator: each task has one claim and one end.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/mutex.h"
#include "queue/task_entity.h"
#include "tests/support/datastore_lab.h"
#include "tests/support/emulator.h"

namespace sparkles {
namespace {

class DatastoreRace : public testing::TestWithParam<int> {
 protected:
  static constexpr int kTasks = 300;

  void SetUp() override {
    if (EmulatorAddress().empty()) GTEST_SKIP() << kNoEmulator;
    lab_.emplace();
    std::vector<Json> entities = {DatastoreLab::JobOf("job", "pending")};
    for (int i = 1; i <= kTasks; ++i) {
      Task task;
      task.id = absl::StrCat("job.", i);
      task.job_id = "job";
      task.index = absl::StrCat(i);
      task.args = "{}";
      entities.push_back(DatastoreLab::PendingTask(task));
    }
    lab_->PutAll(entities);
  }

  // Claims and finishes tasks until none is left. All workers have one name, as on one machine.
  void Work() {
    const auto queue = lab_->MakeQueue("one name for all");
    const CancelToken never;
    Outcome outcome;
    outcome.kind = Outcome::Kind::kComplete;
    outcome.exit_code = "0";
    for (;;) {
      const auto claim = queue->ClaimOne(never);
      if (absl::IsAborted(claim.status())) continue;
      ASSERT_TRUE(claim.ok()) << claim.status();
      if (!claim->has_value()) return;
      {
        MutexLock lock(mutex_);
        ++runs_[(*claim)->task.id];
      }
      const absl::Status finished = queue->Finish(**claim, outcome);
      ASSERT_TRUE(finished.ok()) << finished;
    }
  }

  std::optional<DatastoreLab> lab_;
  Mutex mutex_;
  std::map<std::string, int> runs_ ABSL_GUARDED_BY(mutex_);
};

TEST_P(DatastoreRace, EveryTaskIsClaimedOnceAndEndsOnce) {
  std::vector<std::thread> workers;
  for (int i = 0; i < GetParam(); ++i) workers.emplace_back([this] { Work(); });
  for (std::thread& worker : workers) worker.join();
  MutexLock lock(mutex_);
  EXPECT_EQ(runs_.size(), size_t{kTasks});
  for (const auto& [id, runs] : runs_) {
    EXPECT_EQ(runs, 1) << id;
    const Json properties = lab_->Properties(id);
    EXPECT_EQ(AsString(&properties["status"]), "complete") << id;
    EXPECT_EQ(AsInteger(&properties["version"]), 3) << id;
    std::vector<std::string> statuses;
    for (const Json* entry : Elements(&properties["history"])) {
      statuses.push_back(AsString(JsonField(*AsProperties(*entry), "status")).value_or("?"));
    }
    EXPECT_EQ(statuses, (std::vector<std::string>{"pending", "claimed", "complete"})) << id;
  }
}

INSTANTIATE_TEST_SUITE_P(Workers, DatastoreRace, testing::Values(2, 8));

}  // namespace
}  // namespace sparkles
