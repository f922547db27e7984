// Tests how the Datastore queue searches for tasks. The contract tests use the real server.
#include "queue/datastore_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_clock.h"
#include "tests/support/recorded_log.h"
#include "tests/support/scripted_transport.h"

namespace sparkles {
namespace {

constexpr char kContention[] = R"({"error": {"status": "ABORTED"}})";

class DatastoreQueueSearch : public testing::Test {
 protected:
  // Scripts the answer to a query: `count` pending tasks.
  void AnswerQuery(int count) {
    std::string results;
    for (int i = 0; i < count; ++i) {
      absl::StrAppend(&results, i == 0 ? "" : ",",
                      R"({"entity": {"key": {"path": [{"kind": "SparklesV5Task", "name": "job.)", i,
                      R"("}]}}})");
    }
    transport_.Answer(":runQuery",
                      MakeResponse(200, absl::StrCat(R"({"batch": {"entityResults": [)", results,
                                                     R"(], "moreResults": "NO_MORE_RESULTS"}})")));
  }

  // Scripts the look-up of the next candidate, which does not exist any more.
  void LoseCandidate() {
    transport_.Answer(":lookup", MakeResponse(200, R"({"missing": [{}, {}]})"));
  }

  // The name of the key after which each query started; "" for the first key.
  std::vector<std::string> Starts() {
    std::vector<std::string> starts;
    for (const HttpRequest& request : transport_.requests()) {
      const Json body = ParseJson(request.body).value();
      if (!body.contains("query")) continue;
      starts.emplace_back();
      for (const Json& filter : body["query"]["filter"]["compositeFilter"]["filters"]) {
        const Json& asked = filter["propertyFilter"];
        if (asked["op"] != "GREATER_THAN") continue;
        starts.back() = asked["value"]["keyValue"]["path"][0]["name"].get<std::string>();
      }
    }
    return starts;
  }

  FakeClock clock_;
  RecordedLog log_;
  ScriptedTransport transport_;
  ApiClient api_{{"http://emulator", nullptr}, transport_, clock_};
  DatastoreClient client_{api_, "p"};
  DatastoreQueue queue_{{"cluster", "vm", nullptr}, client_, clock_, log_.log()};
  CancelToken never_;
};

// D28
TEST_F(DatastoreQueueSearch, LongQueueIsSearchedFromRandomKeys) {
  AnswerQuery(20);  // from the first key, where all workers start
  for (int losses = 0; losses < 3; ++losses) {
    AnswerQuery(300);
    LoseCandidate();
  }
  EXPECT_TRUE(absl::IsAborted(queue_.ClaimOne(never_).status()));
  std::set<std::string> starts;
  for (const std::string& start : Starts()) {
    if (start.empty()) continue;
    EXPECT_THAT(start, testing::MatchesRegex("job\\.[0-9]+"));
    EXPECT_EQ(start.size(), std::string("job.1234567").size());
    starts.insert(start);
  }
  EXPECT_EQ(starts.size(), 3U);
  EXPECT_EQ(Starts().front(), "");
}

TEST_F(DatastoreQueueSearch, OldCandidatesAreDropped) {
  AnswerQuery(19);
  transport_.Answer(":lookup", MakeResponse(403, R"({"error": {"status": "PERMISSION_DENIED"}})"));
  EXPECT_FALSE(queue_.ClaimOne(never_).ok());
  clock_.Advance(absl::Minutes(16));
  AnswerQuery(0);
  EXPECT_FALSE(queue_.ClaimOne(never_).value().has_value());
}

TEST_F(DatastoreQueueSearch, FreshCandidatesAreKept) {
  AnswerQuery(19);
  for (int i = 0; i < 2; ++i) {
    transport_.Answer(":lookup",
                      MakeResponse(403, R"({"error": {"status": "PERMISSION_DENIED"}})"));
    EXPECT_FALSE(queue_.ClaimOne(never_).ok());
    clock_.Advance(absl::Minutes(14));
  }
}

TEST_F(DatastoreQueueSearch, SearchStartsOverAfterLastKey) {
  AnswerQuery(20);
  AnswerQuery(300);
  LoseCandidate();
  AnswerQuery(0);  // after a random key
  AnswerQuery(1);  // from the first key
  LoseCandidate();
  AnswerQuery(0);
  const auto claim = queue_.ClaimOne(never_);
  ASSERT_TRUE(claim.ok()) << claim.status();
  EXPECT_FALSE(claim->has_value());
  EXPECT_EQ(Starts().back(), "");
}

TEST_F(DatastoreQueueSearch, RefusedTaskIsTriedAgainLater) {
  const std::string refused = R"({"error": {"code": 400, "status": "INVALID_ARGUMENT"}})";
  AnswerQuery(1);
  transport_.Answer(":lookup", MakeResponse(400, refused));
  AnswerQuery(1);
  EXPECT_EQ(queue_.ClaimOne(never_).value(), std::nullopt);
  clock_.Advance(absl::Minutes(4));
  AnswerQuery(1);
  EXPECT_EQ(queue_.ClaimOne(never_).value(), std::nullopt);
  clock_.Advance(absl::Minutes(2));
  AnswerQuery(1);
  LoseCandidate();
  AnswerQuery(0);
  EXPECT_EQ(queue_.ClaimOne(never_).value(), std::nullopt);
}

// With names of 1,500 bytes a random key is too long. The next search starts at the first key.
TEST_F(DatastoreQueueSearch, RefusedQueryStartsOver) {
  AnswerQuery(20);
  transport_.Answer(":runQuery",
                    MakeResponse(400, R"({"error": {"code": 400, "status": "INVALID_ARGUMENT"}})"));
  EXPECT_TRUE(absl::IsInvalidArgument(queue_.ClaimOne(never_).status()));
  AnswerQuery(1);
  LoseCandidate();
  AnswerQuery(0);
  EXPECT_EQ(queue_.ClaimOne(never_).value(), std::nullopt);
  EXPECT_EQ(Starts()[2], "");
}

TEST_F(DatastoreQueueSearch, JumpReadsManyKeysAndKeepsTwenty) {
  AnswerQuery(20);
  AnswerQuery(300);
  LoseCandidate();
  AnswerQuery(0);
  AnswerQuery(0);
  EXPECT_EQ(queue_.ClaimOne(never_).value(), std::nullopt);
  EXPECT_EQ(ParseJson(transport_.requests()[1].body).value()["query"]["limit"], 300);
}

TEST_F(DatastoreQueueSearch, ProxyRefusalHidesNoTask) {
  AnswerQuery(1);
  transport_.Answer(":lookup", MakeResponse(400, "<html>Bad Request"));
  transport_.Answer(":lookup", MakeResponse(400, "what?"));
  EXPECT_TRUE(absl::IsUnavailable(queue_.ClaimOne(never_).status()));
  AnswerQuery(1);
  LoseCandidate();  // the candidate is looked up again
  AnswerQuery(0);
  EXPECT_TRUE(queue_.ClaimOne(never_).ok());
}

TEST_F(DatastoreQueueSearch, ConflictsOfEndKeepClaim) {
  constexpr int kTries = 5;
  const std::string task =
      R"({"found": [{"version": "5", "entity": {"key": {"path": [{"kind": "SparklesV5Task",
          "name": "job.1"}]}, "properties": {"status": {"stringValue": "claimed"},
          "owner": {"stringValue": "vm"}, "version": {"integerValue": "2"},
          "history": {"arrayValue": {"values": [{"entityValue": {"properties": {
              "timestamp": {"doubleValue": 0}, "owner": {"stringValue": "vm"},
              "status": {"stringValue": "claimed"}}}}]}}}}}]})";
  for (int i = 0; i < kTries; ++i) {
    transport_.Answer(":lookup", MakeResponse(200, task));
    transport_.Answer(":commit", MakeResponse(409, kContention));
  }
  Claim claim;
  claim.task.id = "job.1";
  claim.version = 2;
  claim.claimed_at = absl::UnixEpoch();
  EXPECT_TRUE(absl::IsUnavailable(queue_.HandBack(claim, "a test")));
}

TEST_F(DatastoreQueueSearch, OutageIsAnError) {  // D19
  transport_.Answer(":runQuery",
                    MakeResponse(403, R"({"error": {"status": "PERMISSION_DENIED"}})"));
  EXPECT_TRUE(absl::IsPermissionDenied(queue_.ClaimOne(never_).status()));
}

TEST_F(DatastoreQueueSearch, TasksForNewerWorkersAreNamedOnce) {
  AnswerQuery(0);
  AnswerQuery(1);
  AnswerQuery(0);
  for (int looks = 0; looks < 2; ++looks) EXPECT_EQ(queue_.ClaimOne(never_).value(), std::nullopt);
  const Json query = ParseJson(transport_.requests()[1].body).value()["query"];
  EXPECT_EQ(query["kind"][0]["name"], "SparklesV6Task");
  EXPECT_EQ(query["projection"][0]["property"]["name"], "__key__");
  EXPECT_THAT(DumpJson(query["filter"]), testing::HasSubstr(R"("stringValue":"cluster")"));
  EXPECT_THAT(log_.Text(), testing::HasSubstr("SparklesV6Task"));
}

TEST_F(DatastoreQueueSearch, NewerTasksAreSearchedOnce) {
  AnswerQuery(1);
  LoseCandidate();
  AnswerQuery(0);
  EXPECT_EQ(queue_.ClaimOne(never_).value(), std::nullopt);
  AnswerQuery(0);
  EXPECT_EQ(queue_.ClaimOne(never_).value(), std::nullopt);
}

TEST_F(DatastoreQueueSearch, CancelledClaimSendsNoRequest) {
  CancelToken cancel;
  cancel.Cancel(CancelKind::kHandBack, "SIGTERM");
  const auto claim = queue_.ClaimOne(cancel);
  ASSERT_TRUE(claim.ok());
  EXPECT_FALSE(claim->has_value());
  EXPECT_TRUE(transport_.requests().empty());
}

}  // namespace
}  // namespace sparkles
