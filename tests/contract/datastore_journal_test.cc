// Tests of the claims of dead workers, on Google's emulator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "http/transient.h"
#include "queue/claim_journal.h"
#include "tests/support/datastore_lab.h"
#include "tests/support/emulator.h"
#include "tests/support/fake_clock.h"
#include "tests/support/recorded_log.h"
#include "tests/support/temp_directory.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Task TaskOf(const std::string& id) {
  Task task;
  task.id = id;
  task.job_id = JobIdOf(id);
  task.index = "1";
  task.args = R"({"command": "true"})";
  return task;
}

// A worker on the machine whose tasks directory is `directory`.
struct Worker {
  Worker(DatastoreLab& lab, const std::string& directory, const std::string& owner)
      : journal(*ClaimJournal::Open(directory, false)),
        queue(lab.MakeQueue(owner, journal.get())) {}

  std::optional<Claim> ClaimOne() {
    const CancelToken never;
    return queue->ClaimOne(never).value_or(std::nullopt);
  }

  std::unique_ptr<ClaimJournal> journal;
  std::unique_ptr<DatastoreQueue> queue;
};

class DatastoreJournalTest : public testing::Test {
 protected:
  void SetUp() override {
    if (EmulatorAddress().empty()) GTEST_SKIP() << kNoEmulator;
    lab_.emplace();
    lab_->Put(DatastoreLab::PendingTask(TaskOf("job.1")));
    dead_.emplace(*lab_, directory_.path(), "vm");
  }

  void Die() { dead_.reset(); }

  std::vector<std::string> Story(const std::string& id) {
    const Json properties = lab_->Properties(id);
    std::vector<std::string> story;
    for (const Json* entry : Elements(JsonField(properties, "history"))) {
      story.push_back(AsString(JsonField(*AsProperties(*entry), "status")).value_or("?"));
    }
    return story;
  }

  size_t Journals() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      count += entry.path().extension() == ".journal" ? 1 : 0;
    }
    return count;
  }

  TempDirectory directory_;
  std::optional<DatastoreLab> lab_;
  std::optional<Worker> dead_;
};

TEST_F(DatastoreJournalTest, ClaimOfDeadWorkerIsHandedBack) {
  ASSERT_TRUE(dead_->ClaimOne());
  Die();
  Worker next(*lab_, directory_.path(), "vm");
  const auto claim = next.ClaimOne();
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->attempt, 2);
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed", "reset", "claimed"));
  const Json reset = *Elements(JsonField(lab_->Properties("job.1"), "history"))[2];
  EXPECT_EQ(AsString(JsonField(*AsProperties(reset), "failure_reason")),
            "abandoned: its worker ended without finishing the task");
  Outcome outcome;
  outcome.kind = Outcome::Kind::kComplete;
  outcome.exit_code = "0";
  EXPECT_TRUE(next.queue->Finish(*claim, outcome).ok());
  EXPECT_EQ(Journals(), 1U);
}

TEST_F(DatastoreJournalTest, LackOfMemoryIsInTheReason) {
  SystemClock clock;
  RecordedLog log;
  std::string mark = "mark of the claim";
  const DatastoreQueueOptions options = {
      .cluster = DatastoreLab::kCluster,
      .owner = "vm",
      .monitor_address = nullptr,
      .memory_mark = [&mark] { return mark; },
      .memory_since = [](const std::string& since) { return "out of memory since " + since; }};
  const CancelToken never;
  {
    const auto journal = *ClaimJournal::Open(directory_.path(), false);
    DatastoreQueue dead(options, lab_->client(), clock, log.log(), journal.get());
    ASSERT_TRUE(dead.ClaimOne(never).value().has_value());
  }
  mark = "mark of the next";
  const auto journal = *ClaimJournal::Open(directory_.path(), false);
  DatastoreQueue next(options, lab_->client(), clock, log.log(), journal.get());
  ASSERT_TRUE(next.ClaimOne(never).value().has_value());
  const Json reset = *Elements(JsonField(lab_->Properties("job.1"), "history"))[2];
  EXPECT_EQ(
      AsString(JsonField(*AsProperties(reset), "failure_reason")),
      "abandoned: its worker ended without finishing the task; out of memory since mark of the "
      "claim");
}

TEST_F(DatastoreJournalTest, ClaimOfAnotherWorkerIsKept) {
  ASSERT_TRUE(dead_->ClaimOne());
  lab_->Reset("job.1");
  Worker other(*lab_, directory_.path(), "vm");  // has the same name
  const auto claim = other.ClaimOne();
  ASSERT_TRUE(claim);
  const int64_t version = claim->version;
  Die();
  Worker next(*lab_, directory_.path(), "vm");
  EXPECT_FALSE(next.ClaimOne());
  const CancelToken never;
  EXPECT_EQ(other.queue->Check(*claim, never).value(), ClaimState::kHeld);
  EXPECT_EQ(claim->version, version);
  EXPECT_EQ(Journals(), 2U);
}

TEST_F(DatastoreJournalTest, RecreatedJobKeepsItsClaims) {
  ASSERT_TRUE(dead_->ClaimOne());
  Json again = DatastoreLab::PendingTask(TaskOf("job.1"));
  lab_->Put(again);
  Worker other(*lab_, directory_.path(), "vm");
  const auto claim = other.ClaimOne();
  ASSERT_TRUE(claim);
  Die();
  EXPECT_FALSE(Worker(*lab_, directory_.path(), "vm").ClaimOne());
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed"));
}

TEST_F(DatastoreJournalTest, EndedOrDeletedTaskIsUntouched) {
  const auto claim = dead_->ClaimOne();
  ASSERT_TRUE(claim);
  Die();
  lab_->Delete({kTaskKind, "job.1"});
  EXPECT_FALSE(Worker(*lab_, directory_.path(), "vm").ClaimOne());
  EXPECT_EQ(Journals(), 0U);
}

TEST_F(DatastoreJournalTest, ClaimOfRunningNeighbourIsKept) {
  ASSERT_TRUE(dead_->ClaimOne());
  EXPECT_FALSE(Worker(*lab_, directory_.path(), "vm").ClaimOne());
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed"));
}

TEST_F(DatastoreJournalTest, IdleWorkerNoticesDeadNeighbour) {
  ASSERT_TRUE(dead_->ClaimOne());
  Worker idle(*lab_, directory_.path(), "vm-2");
  EXPECT_FALSE(idle.ClaimOne());
  Die();
  EXPECT_TRUE(idle.ClaimOne());
}

TEST_F(DatastoreJournalTest, OutageDelaysHandBack) {
  ASSERT_TRUE(dead_->ClaimOne());
  Die();
  Worker next(*lab_, directory_.path(), "vm");
  lab_->transport().SetInterceptor(
      [](const std::string&, const HttpRequest&) -> absl::StatusOr<HttpResponse> {
        return absl::PermissionDeniedError("cut off");  // an error that is not retried for seconds
      });
  EXPECT_FALSE(next.ClaimOne());
  lab_->transport().SetInterceptor(nullptr);
  EXPECT_FALSE(next.ClaimOne());
  EXPECT_TRUE(next.ClaimOne());
}

TEST_F(DatastoreJournalTest, WrongClockLosesNoTask) {
  FakeClock late;  // months behind what the client wrote
  RecordedLog log;
  DatastoreQueue queue({DatastoreLab::kCluster, "vm", {}}, lab_->client(), late, log.log());
  const CancelToken never;
  const auto claim = queue.ClaimOne(never);
  ASSERT_TRUE(claim.ok() && claim->has_value());
  late.Advance(-absl::Hours(24));
  EXPECT_EQ(queue.Check(**claim, never).value(), ClaimState::kHeld);
  EXPECT_FALSE(dead_->ClaimOne());
  ASSERT_TRUE(queue.HandBack(**claim, "set back").ok());
  const auto second = dead_->ClaimOne();
  ASSERT_TRUE(second);
  EXPECT_TRUE(absl::IsAborted(queue.HandBack(**claim, "again")));
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed", "reset", "claimed"));
}

TEST_F(DatastoreJournalTest, ClaimIsJournaledBeforeItsCommit) {
  std::string journal;
  lab_->transport().SetInterceptor(
      [&](const std::string& method, const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
        if (method == "commit") {
          for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
            journal += ReadFile(entry.path(), 1 << 20).value_or("");
          }
        }
        return lab_->transport().PassOn(request);
      });
  const auto claim = dead_->ClaimOne();
  ASSERT_TRUE(claim);
  const std::vector<JournalEntry> entries = ParseJournal(journal);
  ASSERT_THAT(entries, SizeIs(1));
  EXPECT_EQ(entries[0].task_id, "job.1");
  EXPECT_EQ(entries[0].owner, "vm");
  EXPECT_EQ(entries[0].version, claim->version);
  EXPECT_EQ(entries[0].claimed_at, claim->claimed_at);
}

}  // namespace
}  // namespace sparkles
