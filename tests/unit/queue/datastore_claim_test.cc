// Tests of claims when Datastore does not answer or the worker dies, with the fake Datastore.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "tests/unit/queue/datastore_claim_fixture.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using DatastoreClaimTest = DatastoreClaimFixture;

TEST_F(DatastoreClaimTest, RevokeLeavesNoUnknownClaim) {
  for (const bool applied : {true, false}) {
    PutTask("job.1");
    PutTask("job.2");
    const auto queue = MakeQueue("vm", nullptr);
    CutOffAtCommit(applied);
    EXPECT_FALSE(queue->ClaimOne(never_).ok());
    EXPECT_FALSE(queue->RevokeUnknownClaim("SIGTERM").ok());
    Reconnect();
    EXPECT_TRUE(queue->RevokeUnknownClaim("SIGTERM").ok());
    const auto ends = queue->TakeRecordedEnds();
    EXPECT_EQ(ends.size(), applied ? 1U : 0U);
    for (const char* id : {"job.1", "job.2"}) {
      EXPECT_EQ(AsString(&datastore_.Get({kTaskKind, id})["properties"]["status"]), "pending");
    }
    EXPECT_TRUE(queue->RevokeUnknownClaim("SIGTERM").ok());
    EXPECT_TRUE(queue->TakeRecordedEnds().empty());
  }
}

TEST_F(DatastoreClaimTest, KilledNextAttemptMeansLostClaim) {
  PutTask("job.1");
  const auto frozen = MakeQueue("vm", nullptr);
  const auto claim = frozen->ClaimOne(never_);
  ASSERT_TRUE(claim.ok() && claim->has_value());
  for (const bool killed_again : {false, true}) {
    Json task = datastore_.Get({kTaskKind, "job.1"});
    task["properties"]["status"] = StringValue("killed");  // as a client may do
    datastore_.Put({kTaskKind, "job.1"}, task);
    EXPECT_EQ(frozen->Check(**claim, never_).value(),
              killed_again ? ClaimState::kLost : ClaimState::kKilled);
    if (killed_again) break;
    DatastoreLab::ResetProperties(task["properties"]);
    datastore_.Put({kTaskKind, "job.1"}, task);
    clock_.Advance(absl::Seconds(1));
    ASSERT_TRUE(MakeQueue("vm", nullptr)->ClaimOne(never_).value().has_value());
  }
}

TEST_F(DatastoreClaimTest, JournalForgetsClaimOfKilledTask) {
  PutTask("job.1");
  const auto journal = OpenJournal();
  const auto queue = MakeQueue("vm", journal.get());
  CutOffAtCommit(/*applied=*/false);
  EXPECT_FALSE(queue->ClaimOne(never_).ok());
  EXPECT_NE(Journal(), "");
  Reconnect();
  datastore_.Put({kJobKind, "job"}, DatastoreLab::JobOf("job", "killed"));
  EXPECT_TRUE(absl::IsAborted(queue->ClaimOne(never_).status()) ||
              Story("job.1").back() == "killed");
  EXPECT_EQ(Journal(), "");
}

// The worker dies while the network delays the commit of its claim. The next worker changes the
// task, so that the delayed commit always conflicts.
TEST_F(DatastoreClaimTest, LateCommitOfDeadWorkerHasNoEffect) {
  PutTask("job.1");
  auto journal = OpenJournal();
  auto dead = MakeQueue("vm", journal.get());
  std::optional<HttpRequest> delayed;
  transport_.interceptor = [&](const std::string& method,
                               const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
    if (delayed) return absl::PermissionDeniedError("cut off");
    if (method != "commit") return datastore_.Send(request);
    delayed = request;
    return LostAnswer();
  };
  EXPECT_FALSE(dead->ClaimOne(never_).ok());
  dead.reset();
  journal.reset();
  Reconnect();
  const auto next_journal = OpenJournal();
  DatastoreQueue next({"another cluster", "vm", nullptr, "p"}, client_, clock_, log_.log(),
                      next_journal.get());
  EXPECT_FALSE(next.ClaimOne(never_).value().has_value());
  EXPECT_EQ(Journals(), 1U);
  EXPECT_EQ(datastore_.Send(*delayed)->status, 200);
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "reset"));
}

// The client resets the task between the first commit and its copy.
TEST_F(DatastoreClaimTest, UnknownClaimOfChangedTaskIsForgotten) {
  PutTask("job.1");
  const auto journal = OpenJournal();
  const auto queue = MakeQueue("vm", journal.get());
  CutOffAtCommit(/*applied=*/false);
  EXPECT_FALSE(queue->ClaimOne(never_).ok());
  Reconnect();
  Json task = datastore_.Get({kTaskKind, "job.1"});
  DatastoreLab::ResetProperties(task["properties"]);
  datastore_.Put({kTaskKind, "job.1"}, task);
  const auto claim = queue->ClaimOne(never_);
  ASSERT_TRUE(claim.ok() && claim->has_value()) << claim.status();
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "reset", "claimed"));
  EXPECT_EQ(ParseJournal(Journal()).size(), 1U);
}

// A client kills the task after the claim, before the worker knows that the claim was made.
TEST_F(DatastoreClaimTest, ClaimLostBeforeItsAnswerIsReported) {
  for (const bool within_call : {true, false}) {
    PutTask("job.1");
    const auto journal = OpenJournal();
    const auto queue = MakeQueue("vm", journal.get());
    const auto kill = [this] {
      Json task = datastore_.Get({kTaskKind, "job.1"});
      task["properties"]["status"] = StringValue("killed");
      datastore_.Put({kTaskKind, "job.1"}, task);
    };
    if (within_call) {
      transport_.interceptor = [&](const std::string& method, const HttpRequest& request) {
        absl::StatusOr<HttpResponse> answer = datastore_.Send(request);
        if (method != "commit") return answer;
        kill();
        return absl::StatusOr<HttpResponse>(LostAnswer());
      };
    } else {
      CutOffAtCommit(/*applied=*/true);
      EXPECT_FALSE(queue->ClaimOne(never_).ok());
      kill();
      Reconnect();
    }
    EXPECT_TRUE(absl::IsAborted(queue->ClaimOne(never_).status())) << within_call;
    EXPECT_EQ(queue->ClaimOne(never_).value(), std::nullopt);
  }
}

// Two workers of one VM have one name. Here both have read the task before the first one claims it,
// and the clock stands still.
TEST_F(DatastoreClaimTest, ClaimOfNeighbourIsNotOwnClaim) {
  PutTask("job.1");
  PutTask("job.2");
  const auto slow = MakeQueue("vm", nullptr);
  const auto fast = MakeQueue("vm", nullptr);
  std::vector<std::string> claimed;
  transport_.interceptor = [&, raced = false](
                               const std::string& method,
                               const HttpRequest& request) mutable -> absl::StatusOr<HttpResponse> {
    if (method == "commit" && !std::exchange(raced, true)) {
      while (claimed.size() < 2) claimed.push_back(fast->ClaimOne(never_).value()->task.id);
    }
    return datastore_.Send(request);
  };
  EXPECT_TRUE(absl::IsAborted(slow->ClaimOne(never_).status()));
  EXPECT_EQ(claimed.size(), 2U);
}

// The first copy of the commit has no clear answer, and each later one is refused.
TEST_F(DatastoreClaimTest, LastingRefusalOfUnknownClaimEnds) {
  PutTask("job.1");
  const auto journal = OpenJournal();
  const auto queue = MakeQueue("vm", journal.get());
  CutOffAtCommit(/*applied=*/false);
  EXPECT_FALSE(queue->ClaimOne(never_).ok());
  RefuseCommits("job.1");
  for (int minute = 0; minute < 5; ++minute) {
    EXPECT_TRUE(absl::IsInvalidArgument(queue->ClaimOne(never_).status())) << minute;
    clock_.Advance(absl::Minutes(1));
  }
  EXPECT_EQ(queue->ClaimOne(never_).value(), std::nullopt);
  EXPECT_EQ(ParseJournal(Journal()).size(), 1U) << "the next worker handles the claim";
  PutTask("job.2");
  EXPECT_TRUE(queue->ClaimOne(never_).value());
}

// A worker without the write role can end at once: it has claimed nothing.
TEST_F(DatastoreClaimTest, RefusedFirstCommitLeavesNoUnknownClaim) {
  PutTask("job.1");
  const auto journal = OpenJournal();
  const auto queue = MakeQueue("vm", journal.get());
  transport_.interceptor = [this](const std::string& method,
                                  const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
    if (method != "commit") return datastore_.Send(request);
    return MakeResponse(403, R"({"error": {"code": 403, "status": "PERMISSION_DENIED"}})");
  };
  EXPECT_TRUE(absl::IsPermissionDenied(queue->ClaimOne(never_).status()));
  EXPECT_EQ(Journal(), "");
  EXPECT_TRUE(queue->RevokeUnknownClaim("drain").ok());
}

// The network makes two copies of the commit. The first one is applied, and the second one is
// refused for a while.
TEST_F(DatastoreClaimTest, AppliedCommitWithRefusedCopyIsFound) {
  PutTask("job.1");
  const auto queue = MakeQueue("vm", nullptr);
  transport_.interceptor = [this](const std::string& method,
                                  const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
    if (method != "commit") return datastore_.Send(request);
    (void)datastore_.Send(request);
    return MakeResponse(429, R"({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}})");
  };
  EXPECT_FALSE(queue->ClaimOne(never_).ok());
  Reconnect();
  const auto claim = queue->ClaimOne(never_);
  ASSERT_TRUE(claim.ok() && claim->has_value()) << claim.status();
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed"));
}

// A client may query the tasks that have changed since the last_updated that it has seen.
TEST_F(DatastoreClaimTest, LaterClaimHasLaterLastUpdated) {
  for (int i = 0; i < 10; ++i) {
    PutTask("job.1");
    PutTask("job.2");
    const auto queue = MakeQueue("vm", nullptr);
    const auto one = queue->ClaimOne(never_).value();
    ASSERT_TRUE(one);
    const Json before = datastore_.Get({kTaskKind, one->task.id})["properties"];
    clock_.Advance(absl::Milliseconds(50));
    const auto two = queue->ClaimOne(never_).value();
    ASSERT_TRUE(two);
    const Json after = datastore_.Get({kTaskKind, two->task.id})["properties"];
    EXPECT_GT(AsDouble(&after["last_updated"]), AsDouble(&before["last_updated"]));
  }
}

TEST_F(DatastoreClaimTest, LastTryIsBoundedInOutage) {
  for (const char* id : {"job.1", "job.2", "job.3"}) PutTask(id);
  const auto queue = MakeQueue("vm", nullptr);
  for (int i = 0; i < 3; ++i) {
    const auto claim = queue->ClaimOne(never_).value();
    ASSERT_TRUE(claim);
    queue->LeaveUnrecorded(*claim, Outcome());
  }
  transport_.interceptor = [this](const std::string&,
                                  const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
    clock_.Advance(request.timeout);
    return LostAnswer();
  };
  const absl::Time started = clock_.Now();
  EXPECT_TRUE(queue->RevokeUnknownClaim("SIGTERM").ok());
  EXPECT_LT(clock_.Now() - started, absl::Seconds(15));
}

// All workers read the queue before one of them claims a task. The second job follows the first.
TEST_F(DatastoreClaimTest, FleetSpreadsOverEachJob) {
  constexpr int kWorkers = 60;
  constexpr int kTasks = 1000;
  std::vector<std::unique_ptr<DatastoreQueue>> fleet;
  for (int i = 0; i < kWorkers; ++i) fleet.push_back(MakeQueue("vm", nullptr));
  for (const char* job : {"one", "two"}) {
    for (int i = 1; i <= kTasks; ++i) PutTask(absl::StrCat(job, ".", i));
    std::set<std::string> choices;
    transport_.interceptor = [&](const std::string& method,
                                 const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
      if (method != "lookup") return datastore_.Send(request);
      choices.insert(request.body);
      return MakeResponse(403, R"({"error": {"code": 403, "status": "PERMISSION_DENIED"}})");
    };
    for (const auto& queue : fleet) EXPECT_FALSE(queue->ClaimOne(never_).ok());
    Reconnect();
    EXPECT_GT(choices.size(), 30U) << job;
    for (int i = 1; i <= kTasks; ++i) datastore_.Delete({kTaskKind, absl::StrCat(job, ".", i)});
    for (const auto& queue : fleet) {
      auto claim = queue->ClaimOne(never_);
      while (absl::IsAborted(claim.status())) claim = queue->ClaimOne(never_);
      EXPECT_EQ(claim.value(), std::nullopt);
    }
  }
}

// Tasks take 0.1 s, so the second claim reads the other tasks ahead.
class DatastoreReadAheadTest : public DatastoreClaimTest {
 protected:
  void SetUp() override {
    for (const char* id : {"job.1", "job.2", "job.3", "job.4"}) PutTask(id);
    transport_.interceptor = [this](const std::string& method, const HttpRequest& request) {
      lookups_ += method == "lookup" ? 1 : 0;
      return datastore_.Send(request);
    };
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(ClaimNext());
    EXPECT_EQ(lookups_, 2);
  }
  // Claims the next task, `pause` after the last one.
  std::optional<Claim> ClaimNext(absl::Duration pause = absl::Milliseconds(100)) {
    clock_.Advance(pause);
    const auto claim = queue_->ClaimOne(never_);
    EXPECT_TRUE(claim.ok()) << claim.status();
    return claim.value_or(std::nullopt);
  }

  int lookups_ = 0;
  const std::unique_ptr<DatastoreQueue> queue_ = MakeQueue("vm", nullptr);
};

TEST_F(DatastoreReadAheadTest, ClaimNeedsNoLookup) {
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(ClaimNext());
  EXPECT_EQ(lookups_, 2);
}

TEST_F(DatastoreReadAheadTest, ClaimAfterPauseLooksUp) {
  EXPECT_TRUE(ClaimNext(absl::Seconds(2)));
  EXPECT_EQ(lookups_, 3);
}

TEST_F(DatastoreReadAheadTest, TaskOfAnotherWorkerIsNotClaimed) {
  const auto other = MakeQueue("other", nullptr);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(other->ClaimOne(never_).value());
  EXPECT_TRUE(absl::IsAborted(queue_->ClaimOne(never_).status()));
  EXPECT_EQ(ClaimNext(), std::nullopt);
}

TEST_F(DatastoreReadAheadTest, ResetTaskIsClaimedOnce) {
  std::set<std::string> ids;
  for (const char* id : {"job.1", "job.2", "job.3", "job.4"}) {
    Json task = datastore_.Get({kTaskKind, id});
    if (AsString(&task["properties"]["status"]) != "pending") continue;
    DatastoreLab::ResetProperties(task["properties"]);
    datastore_.Put({kTaskKind, id}, task);
    ids.insert(id);
  }
  for (int i = 0; i < 2; ++i) {
    const auto claim = ClaimNext();
    ASSERT_TRUE(claim);
    EXPECT_EQ(ids.erase(claim->task.id), 1U);
  }
  EXPECT_EQ(ClaimNext(), std::nullopt);
}

TEST_F(DatastoreReadAheadTest, DeletedTaskIsNotClaimed) {
  for (const char* id : {"job.1", "job.2", "job.3", "job.4"}) datastore_.Delete({kTaskKind, id});
  EXPECT_EQ(ClaimNext(), std::nullopt);
}

TEST_F(DatastoreReadAheadTest, UnusableKeyDelaysNoOtherTask) {
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(ClaimNext());
  for (const char* id : {"bad.1", "job.5", "job.6"}) PutTask(id);
  transport_.interceptor = [this](const std::string& method,
                                  const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
    if (method != "lookup" || !absl::StrContains(request.body, "bad.1")) {
      return datastore_.Send(request);
    }
    return MakeResponse(400, R"({"error": {"code": 400, "status": "INVALID_ARGUMENT"}})");
  };
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(ClaimNext());
  EXPECT_EQ(ClaimNext(), std::nullopt);
}

TEST_F(DatastoreReadAheadTest, KilledJobIsNotReadAhead) {
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(ClaimNext());
  datastore_.Put({kJobKind, "job"}, DatastoreLab::JobOf("job", "killed"));
  for (const char* id : {"job.5", "job.6"}) PutTask(id);
  EXPECT_EQ(ClaimNext(), std::nullopt);
  EXPECT_THAT(Story("job.5"), ElementsAre("pending", "killed"));
}

// The first commit is lost on the way. Then the server refuses requests for a while.
TEST_F(DatastoreClaimTest, RefusalsKeepClaimUnknown) {
  for (const char* refused : {"lookup", "commit"}) {
    const std::string id = absl::StrCat(refused, ".1");
    PutTask(id);
    const auto journal = OpenJournal();
    const auto queue = MakeQueue("vm", journal.get());
    CutOffAtCommit(/*applied=*/false);
    EXPECT_FALSE(queue->ClaimOne(never_).ok());
    transport_.interceptor = [&](const std::string& method,
                                 const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
      if (method != refused) return datastore_.Send(request);
      return MakeResponse(400, R"({"error": {"code": 400, "status": "INVALID_ARGUMENT"}})");
    };
    EXPECT_TRUE(absl::IsInvalidArgument(queue->ClaimOne(never_).status())) << refused;
    EXPECT_EQ(ParseJournal(Journal()).size(), 1U) << refused;
    Reconnect();
    const auto claim = queue->ClaimOne(never_);
    ASSERT_TRUE(claim.ok() && claim->has_value()) << claim.status();
    EXPECT_THAT(Story(id), ElementsAre("pending", "claimed"));
    EXPECT_TRUE(queue->HandBack(**claim, "test").ok());
    datastore_.Delete({kTaskKind, id});
  }
}

TEST_F(DatastoreClaimTest, RefusedHandBackOfDeadWorkerIsRepeated) {
  PutTask("job.1");
  auto journal = OpenJournal();
  ASSERT_TRUE(MakeQueue("vm", journal.get())->ClaimOne(never_).value());
  journal.reset();
  RefuseCommits("abandoned");
  const auto next_journal = OpenJournal();
  const auto next = MakeQueue("vm", next_journal.get());
  for (int minute = 0; minute < 5; ++minute) {
    EXPECT_FALSE(next->ClaimOne(never_).value().has_value());
    EXPECT_EQ(Journals(), 2U) << minute;
    clock_.Advance(minute == 2 ? absl::Hours(3) : absl::Minutes(1));  // counts as a minute
  }
  EXPECT_FALSE(next->ClaimOne(never_).value().has_value());
  EXPECT_EQ(Journals(), 1U);
  EXPECT_THAT(log_.Text(), HasSubstr("stays claimed by a dead worker"));
}

}  // namespace
}  // namespace sparkles
