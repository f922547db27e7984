// Tests of the promises that only the Datastore queue makes, on Google's emulator.
#include "queue/datastore_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "http/transient.h"
#include "tests/support/datastore_lab.h"
#include "tests/support/emulator.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Task TaskOf(const std::string& id) {
  Task task;
  task.id = id;
  task.job_id = JobIdOf(id);
  task.index = "1";
  task.args = R"({"command": "true"})";
  return task;
}

Outcome Completed() {
  Outcome outcome;
  outcome.kind = Outcome::Kind::kComplete;
  outcome.exit_code = "0";
  return outcome;
}

absl::Status LostAnswer() {
  return Transient(absl::UnavailableError("the answer was lost"), /*maybe_applied=*/true);
}

class DatastoreQueueTest : public testing::Test {
 protected:
  void SetUp() override {
    if (EmulatorAddress().empty()) GTEST_SKIP() << kNoEmulator;
    lab_.emplace();
    queue_ = lab_->MakeQueue("worker");
  }

  void PutTask(const std::string& id) { lab_->Put(DatastoreLab::PendingTask(TaskOf(id))); }

  std::optional<Claim> ClaimOne() {
    auto claim = queue_->ClaimOne(never_);
    while (absl::IsAborted(claim.status())) claim = queue_->ClaimOne(never_);
    EXPECT_TRUE(claim.ok()) << claim.status();
    return claim.value_or(std::nullopt);
  }

  // Loses the answer of the next commit, which is `applied` or not.
  void LoseNextCommit(bool applied) {
    lab_->transport().SetInterceptor(
        [this, applied, lost = false](
            const std::string& method,
            const HttpRequest& request) mutable -> absl::StatusOr<HttpResponse> {
          if (method != "commit" || std::exchange(lost, true)) {
            return lab_->transport().PassOn(request);
          }
          if (applied) {
            EXPECT_TRUE(lab_->transport().PassOn(request).ok());
          }
          return LostAnswer();
        });
  }

  // Answers no request from now on.
  void CutOff() {
    lab_->transport().SetInterceptor([](const std::string&,
                                        const HttpRequest&) -> absl::StatusOr<HttpResponse> {
      return absl::PermissionDeniedError("cut off");  // an error that is not retried for seconds
    });
  }
  void Reconnect() { lab_->transport().SetInterceptor(nullptr); }

  std::vector<std::string> Statuses(const std::string& id) {
    const Json properties = lab_->Properties(id);
    std::vector<std::string> statuses;
    for (const Json* entry : Elements(JsonField(properties, "history"))) {
      statuses.push_back(AsString(JsonField(*AsProperties(*entry), "status")).value_or("?"));
    }
    return statuses;
  }

  std::string Property(const std::string& id, const std::string& name) {
    const Json properties = lab_->Properties(id);
    return DumpJson(properties.value(name, Json("absent")));
  }

  CancelToken never_;
  std::optional<DatastoreLab> lab_;
  std::unique_ptr<DatastoreQueue> queue_;
};

TEST_F(DatastoreQueueTest, TaskCostsThreeRequestsAndOneQuery) {
  PutTask("job.1");
  const auto claim = ClaimOne();
  ASSERT_TRUE(claim);
  ASSERT_TRUE(queue_->Finish(*claim, Completed()).ok());
  EXPECT_THAT(lab_->transport().methods(), ElementsAre("runQuery", "lookup", "commit", "commit"));
}

TEST_F(DatastoreQueueTest, ManyTasksShareOneQuery) {
  constexpr int kTasks = 300;
  std::vector<Json> entities;
  for (int i = 1; i <= kTasks; ++i) {
    entities.push_back(DatastoreLab::PendingTask(TaskOf(absl::StrCat("job.", i))));
  }
  lab_->PutAll(entities);
  int done = 0;
  while (const auto claim = ClaimOne()) {
    ASSERT_TRUE(queue_->Finish(*claim, Completed()).ok());
    ++done;
  }
  EXPECT_EQ(done, kTasks);
  EXPECT_LE(lab_->transport().methods().size(), kTasks * 3.2);
}

TEST_F(DatastoreQueueTest, ShortTasksShareLookups) {
  constexpr int kTasks = 300;
  std::vector<Json> entities;
  for (int i = 1; i <= kTasks; ++i) {
    entities.push_back(DatastoreLab::PendingTask(TaskOf(absl::StrCat("job.", i))));
  }
  lab_->PutAll(entities);
  while (const auto claim = ClaimOne()) ASSERT_TRUE(queue_->Finish(*claim, Completed()).ok());
  const std::vector<std::string> methods = lab_->transport().methods();
  EXPECT_LE(std::count(methods.begin(), methods.end(), "lookup"), kTasks / 4);
  EXPECT_LE(methods.size(), kTasks * 2.4);
}

TEST_F(DatastoreQueueTest, HandBackCostsOneRequest) {
  PutTask("job.1");
  const auto claim = ClaimOne();
  ASSERT_TRUE(claim);
  const size_t before = lab_->transport().methods().size();
  ASSERT_TRUE(queue_->HandBack(*claim, "preempted").ok());
  EXPECT_EQ(lab_->transport().methods().size(), before + 1);
}

// A client changes another property while the task runs. The end must keep that change.
TEST_F(DatastoreQueueTest, EndKeepsChangesOfOtherClients) {
  PutTask("job.1");
  const auto claim = ClaimOne();
  ASSERT_TRUE(claim);
  Json properties = lab_->Properties("job.1");
  properties["note"] = StringValue("by a client");
  lab_->Put({{"key", ToJson({kTaskKind, "job.1"})}, {"properties", properties}});
  ASSERT_TRUE(queue_->Finish(*claim, Completed()).ok());
  EXPECT_EQ(Property("job.1", "note"), R"({"stringValue":"by a client"})");
  EXPECT_THAT(Statuses("job.1"), ElementsAre("pending", "claimed", "complete"));
}

TEST_F(DatastoreQueueTest, LaterIdleClaimsCostOneQuery) {
  EXPECT_FALSE(ClaimOne());
  EXPECT_THAT(lab_->transport().methods(), ElementsAre("runQuery", "runQuery"));
  EXPECT_FALSE(ClaimOne());
  EXPECT_THAT(lab_->transport().methods(), ElementsAre("runQuery", "runQuery", "runQuery"));
}

TEST_F(DatastoreQueueTest, ClaimWithLostAnswerIsOneClaim) {
  for (const bool applied : {true, false}) {
    const std::string id = applied ? "job.1" : "job.2";
    PutTask(id);
    LoseNextCommit(applied);
    const auto claim = ClaimOne();
    ASSERT_TRUE(claim);
    EXPECT_EQ(claim->task.id, id);
    EXPECT_EQ(claim->attempt, 1);
    EXPECT_TRUE(queue_->Finish(*claim, Completed()).ok());
    EXPECT_THAT(Statuses(id), ElementsAre("pending", "claimed", "complete"));
  }
}

// The network delays the commit of the claim, and the worker gets a request to stop.
TEST_F(DatastoreQueueTest, RevokedClaimHasNoLaterEffect) {
  PutTask("job.1");
  CancelToken cancel;
  std::optional<HttpRequest> delayed;
  lab_->transport().SetInterceptor(
      [&](const std::string& method, const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
        if (method != "commit" || delayed) return lab_->transport().PassOn(request);
        delayed = request;
        delayed->cancel = nullptr;
        cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
        return LostAnswer();
      });
  EXPECT_FALSE(queue_->ClaimOne(cancel).ok());
  EXPECT_TRUE(queue_->RevokeUnknownClaim("SIGTERM").ok());
  ASSERT_TRUE(delayed);
  EXPECT_TRUE(lab_->transport().PassOn(*delayed).ok());
  EXPECT_THAT(Statuses("job.1"), ElementsAre("pending", "reset"));
}

TEST_F(DatastoreQueueTest, RevokeHandsBackClaim) {
  PutTask("job.1");
  CancelToken cancel;
  lab_->transport().SetInterceptor(
      [&](const std::string& method, const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
        auto answer = lab_->transport().PassOn(request);
        if (method != "commit" || cancel.cancelled()) return answer;
        cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
        return LostAnswer();
      });
  EXPECT_FALSE(queue_->ClaimOne(cancel).ok());
  EXPECT_TRUE(queue_->RevokeUnknownClaim("SIGTERM").ok());
  EXPECT_THAT(Statuses("job.1"), ElementsAre("pending", "claimed", "reset"));
  ASSERT_EQ(queue_->TakeRecordedEnds().size(), 1U);
}

// The first commit arrives just before its copy.
TEST_F(DatastoreQueueTest, TwoCopiesOfCommitMakeOneClaim) {
  PutTask("job.1");
  std::optional<HttpRequest> delayed;
  int commits = 0;
  lab_->transport().SetInterceptor(
      [&](const std::string& method, const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
        if (method != "commit") return lab_->transport().PassOn(request);
        if (++commits == 1) {
          delayed = request;
          return LostAnswer();
        }
        if (commits == 2) {
          EXPECT_TRUE(lab_->transport().PassOn(*delayed).ok());
        }
        return lab_->transport().PassOn(request);
      });
  const auto claim = ClaimOne();
  ASSERT_TRUE(claim);
  EXPECT_THAT(Statuses("job.1"), ElementsAre("pending", "claimed"));
  EXPECT_TRUE(queue_->Finish(*claim, Completed()).ok());
}

TEST_F(DatastoreQueueTest, EndWithLostAnswerIsOneEnd) {
  for (const bool applied : {true, false}) {
    const std::string id = applied ? "job.1" : "job.2";
    PutTask(id);
    Reconnect();
    const auto claim = ClaimOne();
    ASSERT_TRUE(claim);
    LoseNextCommit(applied);
    EXPECT_TRUE(queue_->Finish(*claim, Completed()).ok());
    EXPECT_THAT(Statuses(id), ElementsAre("pending", "claimed", "complete"));
  }
}

TEST_F(DatastoreQueueTest, UnknownClaimIsFoundAfterOutage) {
  PutTask("job.1");
  bool cut = false;
  lab_->transport().SetInterceptor(
      [&](const std::string& method, const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
        if (cut) return absl::PermissionDeniedError("cut off");
        auto answer = lab_->transport().PassOn(request);
        cut = method == "commit";
        if (cut) return LostAnswer();
        return answer;
      });
  EXPECT_FALSE(queue_->ClaimOne(never_).ok());
  EXPECT_THAT(Statuses("job.1"), ElementsAre("pending", "claimed"));
  Reconnect();
  const auto claim = ClaimOne();
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->task.id, "job.1");
  EXPECT_EQ(claim->version, 2);
  EXPECT_TRUE(queue_->Finish(*claim, Completed()).ok());
}

TEST_F(DatastoreQueueTest, UnknownEndIsFoundAfterNextClaim) {
  PutTask("job.1");
  const auto claim = ClaimOne();
  ASSERT_TRUE(claim);
  bool cut = false;
  lab_->transport().SetInterceptor(
      [&](const std::string& method, const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
        if (cut) return absl::PermissionDeniedError("cut off");
        auto answer = lab_->transport().PassOn(request);
        cut = method == "commit";
        if (cut) return LostAnswer();
        return answer;
      });
  EXPECT_FALSE(queue_->HandBack(*claim, "preempted").ok());
  Reconnect();
  const auto other = lab_->MakeQueue("other");
  ASSERT_TRUE(other->ClaimOne(never_).value().has_value());
  EXPECT_TRUE(queue_->HandBack(*claim, "preempted").ok());
  EXPECT_THAT(Statuses("job.1"), ElementsAre("pending", "claimed", "reset", "claimed"));
}

TEST_F(DatastoreQueueTest, WorkerThatLosesRaceGetsOtherTask) {
  PutTask("job.1");
  PutTask("job.2");
  const auto other = lab_->MakeQueue("other");
  bool raced = false;
  lab_->transport().SetInterceptor(
      [&](const std::string& method, const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
        if (method == "commit" && !std::exchange(raced, true)) {
          // The client writes to the task between our lookup and our commit.
          const Json body = Json::parse(request.body);
          lab_->Reset(body["mutations"][0]["update"]["key"]["path"][0]["name"]);
        }
        return lab_->transport().PassOn(request);
      });
  EXPECT_TRUE(ClaimOne());
  EXPECT_TRUE(ClaimOne());
  EXPECT_FALSE(ClaimOne());
}

TEST_F(DatastoreQueueTest, TaskOfKilledJobIsKilledUnrun) {
  lab_->Put(DatastoreLab::JobOf("job", "killed"));
  PutTask("job.1");
  PutTask("alive.1");
  const auto claim = ClaimOne();
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->task.id, "alive.1");
  EXPECT_FALSE(ClaimOne());
  EXPECT_THAT(Statuses("job.1"), ElementsAre("pending", "killed"));
  // Clients count every task that has a failure_reason as failed.
  EXPECT_EQ(Property("job.1", "failure_reason"), R"({"nullValue":null})");
}

TEST_F(DatastoreQueueTest, CheckSeesKilledAndLostClaims) {
  PutTask("job.1");
  const auto claim = ClaimOne();
  ASSERT_TRUE(claim);
  EXPECT_EQ(queue_->Check(*claim, never_).value(), ClaimState::kHeld);
  lab_->Put(DatastoreLab::JobOf("job", "killed"));
  EXPECT_EQ(queue_->Check(*claim, never_).value(), ClaimState::kKilled);
  lab_->Reset("job.1");  // a new owner may have claimed the task already
  EXPECT_EQ(queue_->Check(*claim, never_).value(), ClaimState::kLost);
  lab_->Put(DatastoreLab::JobOf("job", "running"));
  EXPECT_EQ(queue_->Check(*claim, never_).value(), ClaimState::kLost);
  lab_->Delete({kTaskKind, "job.1"});
  EXPECT_EQ(queue_->Check(*claim, never_).value(), ClaimState::kLost);
  EXPECT_TRUE(absl::IsAborted(queue_->Finish(*claim, Completed())));
}

// The versions start again, and the worker has the same name, so the claims differ only in time.
TEST_F(DatastoreQueueTest, OldClaimOfRecreatedTaskIsLost) {
  PutTask("job.1");
  const auto old_claim = ClaimOne();
  ASSERT_TRUE(old_claim);
  PutTask("job.1");
  const auto new_claim = lab_->MakeQueue("worker")->ClaimOne(never_);
  ASSERT_TRUE(new_claim.ok() && new_claim->has_value());
  ASSERT_EQ((*new_claim)->version, old_claim->version);
  EXPECT_TRUE(absl::IsAborted(queue_->Finish(*old_claim, Completed())));
  EXPECT_TRUE(queue_->Finish(**new_claim, Completed()).ok());
}

TEST_F(DatastoreQueueTest, UnknownPropertiesAreKept) {  // D23, D25
  Json task = DatastoreLab::PendingTask(TaskOf("job.1"));
  const Json foreign = Json::parse(R"({
    "whole": {"doubleValue": 3.0}, "nan": {"doubleValue": "NaN"}, "none": {"nullValue": null},
    "big": {"integerValue": "9223372036854775807"}, "raw": {"blobValue": "AAEC/w=="},
    "when": {"timestampValue": "2026-01-02T03:04:05.123456Z"}, "empty": {"arrayValue": {}},
    "hidden": {"stringValue": "x", "excludeFromIndexes": true}, "flag": {"booleanValue": false},
    "nested": {"entityValue": {"properties": {"a": {"arrayValue": {"values": [
        {"integerValue": "1"}, {"nullValue": null}]}}}}}})");
  task["properties"].update(foreign);
  lab_->Put(task);
  const auto claim = ClaimOne();
  ASSERT_TRUE(claim);
  ASSERT_TRUE(queue_->Finish(*claim, Completed()).ok());
  const Json after = lab_->Properties("job.1");
  for (const auto& [name, value] : foreign.items()) EXPECT_EQ(after[name], value) << name;
  EXPECT_EQ(after["history"]["arrayValue"]["values"][0],
            task["properties"]["history"]["arrayValue"]["values"][0]);
}

TEST_F(DatastoreQueueTest, UnusableTaskIsFailedWithReason) {  // D30
  const std::vector<std::pair<std::string, Json>> wrong = {
      {"status", {{"arrayValue", {{"values", Json::array({StringValue("pending")})}}}}},
      {"version", StringValue("one")},
      {"history", StringValue("none")},
      {"args", IntegerValue(7)},
  };
  for (const auto& [property, value] : wrong) {
    Json task = DatastoreLab::PendingTask(TaskOf(absl::StrCat(property, ".1")));
    task["properties"][property] = value;
    lab_->Put(task);
  }
  EXPECT_FALSE(ClaimOne());
  for (const auto& [property, value] : wrong) {
    const std::string id = absl::StrCat(property, ".1");
    EXPECT_EQ(Property(id, "status"), R"({"stringValue":"failed"})") << id;
    EXPECT_THAT(Property(id, "failure_reason"), HasSubstr(absl::StrCat(property, ": is not")));
  }
  const std::vector<RecordedEnd> ends = queue_->TakeRecordedEnds();
  EXPECT_EQ(ends.size(), wrong.size());
  for (const RecordedEnd& end : ends) EXPECT_THAT(end.reason, HasSubstr(": is not"));
}

TEST_F(DatastoreQueueTest, TaskWithUnusableKeyHidesNoOther) {
  PutTask(".1");  // its job would have no name
  Json numbered = DatastoreLab::PendingTask(TaskOf("x.1"));
  numbered["key"] = {{"path", Json::array({{{"kind", kTaskKind}, {"id", "17"}}})}};
  lab_->Put(numbered);
  PutTask("job.1");
  const auto claim = ClaimOne();
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->task.id, "job.1");
  EXPECT_FALSE(ClaimOne());
  EXPECT_FALSE(ClaimOne());
  EXPECT_THAT(lab_->LogText(), HasSubstr("not claimed: "));
}

TEST_F(DatastoreQueueTest, TaskBehindUnusableOnesIsClaimed) {
  std::vector<Json> entities;
  for (int i = 0; i < 2 * CandidateList::kCandidates + 1; ++i) {
    Json numbered = DatastoreLab::PendingTask(TaskOf("x.1"));
    numbered["key"] = {{"path", Json::array({{{"kind", kTaskKind}, {"id", absl::StrCat(i + 1)}}})}};
    entities.push_back(numbered);
  }
  lab_->PutAll(entities);
  PutTask("job.1");
  const auto claim = ClaimOne();
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->task.id, "job.1");
  EXPECT_FALSE(ClaimOne());
}

TEST_F(DatastoreQueueTest, LongFailureReasonIsStored) {  // D22
  PutTask("job.1");
  const auto claim = ClaimOne();
  ASSERT_TRUE(claim);
  Outcome outcome;
  for (int i = 0; i < 2000; ++i) outcome.failure_reason += "é";
  ASSERT_TRUE(queue_->Finish(*claim, outcome).ok());
  EXPECT_THAT(Property("job.1", "failure_reason"), HasSubstr("\"excludeFromIndexes\":true"));
}

}  // namespace
}  // namespace sparkles
