// What becomes of claims where Datastore does not answer, or the worker dies: on the fake.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "base/file.h"
#include "gcp/json_text.h"
#include "http/transient.h"
#include "queue/datastore_queue.h"
#include "tests/support/datastore_lab.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_datastore.h"
#include "tests/support/recorded_log.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/temp_folder.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::Status LostAnswer() {
  return Transient(absl::UnavailableError("the answer was lost"), /*maybe_applied=*/true);
}

// Comes between a queue and the fake.
class Meddler : public HttpTransport {
 public:
  using Meddle = std::function<absl::StatusOr<HttpResponse>(const std::string& method,
                                                            const HttpRequest& request)>;

  explicit Meddler(FakeDatastore& datastore) : datastore_(datastore) {}
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override {
    const std::string method = request.url.substr(request.url.rfind(':') + 1);
    return meddle ? meddle(method, request) : datastore_.Send(request);
  }

  Meddle meddle;  // empty: all requests go through

 private:
  FakeDatastore& datastore_;
};

class DatastoreClaimTest : public testing::Test {
 protected:
  void PutTask(const std::string& id) {
    Task task;
    task.id = id;
    task.job_id = JobIdOf(id);
    task.index = "1";
    task.args = R"({"command": "true"})";
    datastore_.Put({kTaskKind, id}, DatastoreLab::PendingTask(task));
  }

  std::unique_ptr<DatastoreQueue> MakeQueue(const std::string& owner, ClaimJournal* journal) {
    return std::make_unique<DatastoreQueue>(
        DatastoreQueueOptions{DatastoreLab::kCluster, owner, nullptr, "p"}, client_, clock_,
        log_.log(), journal);
  }

  std::unique_ptr<ClaimJournal> OpenJournal() {
    return *ClaimJournal::Open(folder_.path(), /*durable=*/false);
  }

  // The next commit is carried out or not, its answer is lost, and then nothing is answered.
  void CutOffAtCommit(bool applied) {
    transport_.meddle = [this, applied, cut = false](
                            const std::string& method,
                            const HttpRequest& request) mutable -> absl::StatusOr<HttpResponse> {
      if (cut) return absl::PermissionDeniedError("cut off");  // not retried for seconds
      if (method != "commit") return datastore_.Send(request);
      cut = true;
      if (applied) {
        EXPECT_EQ(datastore_.Send(request)->status, 200);
      }
      return LostAnswer();
    };
  }
  // From now on commits of what has `text` in it are refused.
  void RefuseCommits(const std::string& text) {
    transport_.meddle = [this, text](const std::string& method,
                                     const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
      if (method != "commit" || !absl::StrContains(request.body, text)) {
        return datastore_.Send(request);
      }
      return MakeResponse(400, R"({"error": {"code": 400, "status": "INVALID_ARGUMENT"}})");
    };
  }
  void Reconnect() { transport_.meddle = nullptr; }

  std::vector<std::string> Story(const std::string& id) {
    const Json task = datastore_.Get({kTaskKind, id});
    std::vector<std::string> story;
    for (const Json* entry : Elements(JsonField(task["properties"], "history"))) {
      story.push_back(AsString(JsonField(*AsProperties(*entry), "status")).value_or("?"));
    }
    return story;
  }

  size_t Journals() const {
    const auto files = std::filesystem::directory_iterator(folder_.path());
    return static_cast<size_t>(std::distance(begin(files), end(files)));
  }
  // The text of the only journal there is.
  std::string Journal() const {
    EXPECT_EQ(Journals(), 1U);
    const auto file = std::filesystem::directory_iterator(folder_.path());
    return ReadFile(file->path(), 1 << 20).value_or("");
  }

  FakeClock clock_;
  RecordedLog log_;
  TempFolder folder_;
  FakeDatastore datastore_{clock_};
  Meddler transport_{datastore_};
  ApiClient api_{{"http://datastore", nullptr}, transport_, clock_};
  DatastoreClient client_{api_, "p"};
  CancelToken never_;
};

TEST_F(DatastoreClaimTest, WhoIsToGoLearnsOfAClaimWhoseAnswerWasLostAndMakesNoOther) {
  CancelToken go;
  go.Cancel(CancelKind::kHandBack, "SIGTERM");
  for (const bool applied : {true, false}) {
    PutTask("job.1");
    PutTask("job.2");
    const auto queue = MakeQueue("vm", nullptr);
    CutOffAtCommit(applied);
    EXPECT_FALSE(queue->ClaimOne(never_).ok());
    EXPECT_FALSE(queue->ClaimOne(go).ok());
    Reconnect();
    const auto claim = queue->ClaimOne(go);
    ASSERT_TRUE(claim.ok()) << claim.status();
    EXPECT_EQ(claim->has_value(), applied);
    if (applied) {
      EXPECT_TRUE(queue->HandBack(**claim, "SIGTERM").ok());
    }
    const auto none = queue->ClaimOne(go);
    EXPECT_TRUE(none.ok() && !none->has_value());
  }
}

TEST_F(DatastoreClaimTest, AnotherAttemptThatWasKilledIsALostClaim) {
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

TEST_F(DatastoreClaimTest, WhoCannotRevokeACommitSettlesIt) {
  PutTask("job.1");
  CancelToken cancel;
  std::optional<HttpRequest> delayed;
  transport_.meddle = [&](const std::string& method,
                          const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
    if (method == "rollback" && delayed) {  // the commit was faster
      EXPECT_EQ(datastore_.Send(*std::exchange(delayed, std::nullopt))->status, 200);
    }
    if (method != "commit") return datastore_.Send(request);
    delayed = request;
    cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
    return LostAnswer();
  };
  const auto claim = MakeQueue("vm", nullptr)->ClaimOne(cancel);
  EXPECT_TRUE(claim.ok() && *claim) << claim.status();
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed"));
}

TEST_F(DatastoreClaimTest, TheJournalForgetsAClaimThatEndedAsSomethingElse) {
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

// A claim was tried, and 300 s later again: it is the second commit that may come late.
TEST_F(DatastoreClaimTest, ALateCommitIsWaitedForFromItsLastSendingOn) {
  PutTask("job.1");
  auto journal = OpenJournal();
  auto dead = MakeQueue("vm", journal.get());
  CutOffAtCommit(/*applied=*/false);
  EXPECT_FALSE(dead->ClaimOne(never_).ok());
  clock_.Advance(absl::Seconds(300));
  std::optional<HttpRequest> delayed;
  transport_.meddle = [&](const std::string& method,
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
  clock_.Advance(absl::Seconds(25));
  EXPECT_EQ(datastore_.Send(*delayed)->status, 200);
  EXPECT_FALSE(next.ClaimOne(never_).value().has_value());
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed", "reset"));
}

TEST_F(DatastoreClaimTest, AClaimOfTheFutureIsNotLookedAfterForEver) {
  PutTask("job.1");
  auto journal = OpenJournal();
  CutOffAtCommit(/*applied=*/false);
  EXPECT_FALSE(MakeQueue("vm", journal.get())->ClaimOne(never_).ok());
  journal.reset();
  Reconnect();
  clock_.Advance(-absl::Hours(1));
  const auto next_journal = OpenJournal();
  DatastoreQueue next({"another cluster", "vm", nullptr, "p"}, client_, clock_, log_.log(),
                      next_journal.get());
  for (const size_t journals : {2U, 2U, 1U}) {
    EXPECT_FALSE(next.ClaimOne(never_).value().has_value());
    EXPECT_EQ(Journals(), journals);
    clock_.Advance(absl::Seconds(140));
  }
}

TEST_F(DatastoreClaimTest, AHandBackForADeadWorkerThatIsRefusedIsRepeatedForMinutes) {
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
    clock_.Advance(absl::Minutes(1));
  }
  EXPECT_FALSE(next->ClaimOne(never_).value().has_value());
  EXPECT_EQ(Journals(), 1U);
  EXPECT_THAT(log_.Text(), HasSubstr("stays claimed by a dead worker"));
}

TEST_F(DatastoreClaimTest, AnEndThatWasGivenUpIsRecordedWhenNothingIsLeftToClaim) {
  PutTask("job.1");
  const auto journal = OpenJournal();
  const auto queue = MakeQueue("vm", journal.get());
  const auto claim = queue->ClaimOne(never_).value();
  ASSERT_TRUE(claim);
  Outcome outcome;
  outcome.kind = Outcome::Kind::kComplete;
  outcome.exit_code = "0";
  transport_.meddle = [this](const std::string& method,
                             const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
    if (method == "commit") return absl::PermissionDeniedError("cut off");
    return datastore_.Send(request);
  };
  EXPECT_FALSE(queue->Finish(*claim, outcome).ok());
  queue->GiveUp(*claim, outcome);
  EXPECT_FALSE(queue->ClaimOne(never_).ok()) << "a worker that holds a claim is not done";
  Reconnect();
  EXPECT_FALSE(queue->ClaimOne(never_).value().has_value());
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed", "complete"));
  EXPECT_EQ(Journal(), "");
}

TEST_F(DatastoreClaimTest, AnEndThatWasGivenUpIsTriedOnceMoreByWhoIsToGo) {
  PutTask("job.1");
  PutTask("job.2");
  const auto queue = MakeQueue("vm", nullptr);
  const auto claim = queue->ClaimOne(never_).value();
  ASSERT_TRUE(claim);
  Outcome outcome;
  outcome.kind = Outcome::Kind::kHandBack;
  outcome.failure_reason = "no space";
  queue->GiveUp(*claim, outcome);
  CancelToken go;
  go.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_FALSE(queue->ClaimOne(go).value().has_value());
  EXPECT_THAT(Story(claim->task.id), ElementsAre("pending", "claimed", "reset"));
}

TEST_F(DatastoreClaimTest, AnEndThatIsRefusedForGoodBecomesAHandBack) {
  PutTask("job.1");
  const auto queue = MakeQueue("vm", nullptr);
  const auto claim = queue->ClaimOne(never_).value();
  ASSERT_TRUE(claim);
  Outcome outcome;
  outcome.failure_reason = "a reason that no server takes";
  RefuseCommits("");
  EXPECT_TRUE(absl::IsInvalidArgument(queue->Finish(*claim, outcome)));
  queue->GiveUp(*claim, outcome);
  EXPECT_FALSE(queue->ClaimOne(never_).value().has_value()) << "nothing more can be done";
  RefuseCommits("that no server takes");
  EXPECT_FALSE(queue->ClaimOne(never_).value().has_value());
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed", "reset"));
}

TEST_F(DatastoreClaimTest, NoCommitIsRememberedForLongerThanItMayArrive) {
  PutTask("job.1");
  const auto queue = MakeQueue("vm", nullptr);
  int commits = 0;
  int rollbacks = 0;
  transport_.meddle = [&](const std::string& method,
                          const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
    rollbacks += method == "rollback" ? 1 : 0;
    if (method != "commit") return datastore_.Send(request);
    ++commits;
    return absl::PermissionDeniedError("cut off");
  };
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(queue->ClaimOne(never_).ok());
    clock_.Advance(absl::Seconds(100));
  }
  EXPECT_GE(commits, 20);
  EXPECT_EQ(rollbacks, 0);
  CancelToken go;
  go.Cancel(CancelKind::kHandBack, "SIGTERM");
  const auto none = queue->ClaimOne(go);
  EXPECT_TRUE(none.ok() && !none->has_value());
  EXPECT_EQ(rollbacks, commits * 3 / 20 + 1) << "of the last 270 s, and of what looked";
}

}  // namespace
}  // namespace sparkles
