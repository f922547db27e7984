#include "gcp/datastore_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "base/status.h"
#include "http/transient.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scripted_transport.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

constexpr char kLookup[] = "POST http://emulator/v1/projects/p:lookup";
constexpr char kQuery[] = "POST http://emulator/v1/projects/p:runQuery";
constexpr char kCommit[] = "POST http://emulator/v1/projects/p:commit";
constexpr char kExpired[] =
    R"({"error": {"code": 400, "message": "transaction has expired or is invalid",
                  "status": "INVALID_ARGUMENT"}})";

class DatastoreClientTest : public testing::Test {
 protected:
  Json Sent(size_t index) { return ParseJson(transport_.requests()[index].body).value(); }

  absl::StatusOr<CommitEnd> Commit() {
    Json json = {{"key", ToJson({"K", "a"})}};
    return client_.Commit("TX", Entity::Parse(json).value());
  }

  static std::string Found(const std::string& name) {
    return R"({"entity": {"key": {"partitionId": {"projectId": "p"},
               "path": [{"kind": "K", "name": ")" +
           name + R"("}]}, "properties": {}}})";
  }

  FakeClock clock_;
  ScriptedTransport transport_;
  ApiClient api_{{"http://emulator", nullptr}, transport_, clock_};
  DatastoreClient client_{api_, "p"};
  CancelToken never_;
};

TEST_F(DatastoreClientTest, LookupKeepsKeyOrder) {
  transport_.Answer(kLookup, MakeResponse(200, R"({"found": [)" + Found("c") + "," + Found("a") +
                                                   R"(], "missing": [{"entity": {}}]})"));
  const auto result = client_.Lookup({{"K", "a"}, {"K", "b"}, {"K", "c"}}, never_);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_THAT(result->entities, SizeIs(3));
  EXPECT_EQ(ParseEntityKey(result->entities[0]->key())->name, "a");
  EXPECT_FALSE(result->entities[1]);
  EXPECT_EQ(ParseEntityKey(result->entities[2]->key())->name, "c");
  EXPECT_EQ(*transport_.requests()[0].headers.Find("Content-Type"), "application/json");
}

// A database with pessimistic locks answers a read of a locked entity with ABORTED.
TEST_F(DatastoreClientTest, LockedReadIsContentionInTransaction) {
  for (int i = 0; i < 3; ++i) {
    transport_.Answer(i < 2 ? kLookup : ":runQuery",
                      MakeResponse(409, R"({"error": {"status": "ABORTED"}})"));
  }
  EXPECT_TRUE(absl::IsAborted(client_.LookupInTransaction({{"K", "a"}}, never_).status()));
  EXPECT_TRUE(absl::IsUnavailable(client_.Lookup({{"K", "a"}}, never_).status()));
  EXPECT_TRUE(absl::IsUnavailable(client_.FindKeys("K", {}, 20, never_).status()));
}

TEST_F(DatastoreClientTest, DeferredKeysStayInTransaction) {
  transport_.Answer(kLookup, MakeResponse(200, R"({"transaction": "TX", "found": [)" + Found("a") +
                                                   R"(], "deferred": [{"path": [{"kind": "K",
                                                   "name": "b"}]}]})"));
  transport_.Answer(kLookup, MakeResponse(200, R"({"found": [)" + Found("b") + "]}"));
  const auto result = client_.LookupInTransaction({{"K", "a"}, {"K", "b"}}, never_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->entities[0] && result->entities[1]);
  EXPECT_EQ(result->transaction, "TX");
  EXPECT_EQ(DumpJson(Sent(0)["readOptions"]), R"({"newTransaction":{"readWrite":{}}})");
  EXPECT_EQ(DumpJson(Sent(1)["readOptions"]), R"({"transaction":"TX"})");
  EXPECT_THAT(Sent(1)["keys"], SizeIs(1));
}

TEST_F(DatastoreClientTest, TransientReadErrorsAreRetried) {
  transport_.Fail(kLookup, Transient(absl::UnavailableError("reset"), true));
  transport_.Answer(kLookup, MakeResponse(503));
  transport_.Answer(kLookup, MakeResponse(200, R"({"missing": [{}]})"));
  EXPECT_TRUE(client_.Lookup({{"K", "a"}}, never_).ok());
}

// A refusal without Google's JSON may come from a proxy. It counts as an outage.
TEST_F(DatastoreClientTest, ReadRefusalWithoutJsonIsTransient) {
  for (const int status : {400, 401, 403, 404, 409}) {
    transport_.Answer(kLookup, MakeResponse(status));
    const absl::Status error = client_.LookupInTransaction({{"K", "a"}}, never_).status();
    EXPECT_TRUE(absl::IsUnavailable(error) && IsTransient(error)) << error;
  }
}

TEST_F(DatastoreClientTest, GarbledAnswersAreErrors) {
  for (const char* body :
       {"<html>", "[]", "{}", R"({"missing": []})", R"({"found": 3})", R"({"found": [{}]})",
        R"({"found": [{"entity": {"key": {"path": []}}}]})"}) {
    transport_.Answer(kLookup, MakeResponse(200, body));
    EXPECT_FALSE(client_.Lookup({{"K", "a"}}, never_).ok()) << body;
  }
  for (const char* body : {"", "{}", R"({"batch": {"entityResults": 1}})",
                           R"({"batch": {"entityResults": [{"entity": {}}]}})"}) {
    transport_.Answer(kQuery, MakeResponse(200, body));
    EXPECT_FALSE(client_.FindKeys("K", {}, 20, never_).ok()) << body;
  }
  transport_.Answer(kLookup, MakeResponse(200, R"({"missing": [{}]})"));
  EXPECT_FALSE(client_.LookupInTransaction({{"K", "a"}}, never_).ok());  // no transaction
}

TEST_F(DatastoreClientTest, KeysOnlyQueryIsSentOnce) {
  transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"moreResults": "NOT_FINISHED",
      "endCursor": "C", "entityResults": [{"entity": {"key": {"path": [{"kind": "K",
      "name": "a"}]}}}]}})"));
  const auto keys = client_.FindKeys(
      "K", {{"cluster", StringValue("c")}, {"status", StringValue("pending")}}, 20, never_);
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_THAT(*keys, SizeIs(1));
  const Json query = Sent(0)["query"];
  EXPECT_EQ(DumpJson(query["projection"]), R"([{"property":{"name":"__key__"}}])");
  EXPECT_EQ(query["limit"], 20);
  EXPECT_EQ(DumpJson(query["kind"]), R"([{"name":"K"}])");
  EXPECT_EQ(DumpJson(query["filter"]["compositeFilter"]["filters"][1]),
            R"({"propertyFilter":{"op":"EQUAL","property":{"name":"status"},)"
            R"("value":{"stringValue":"pending"}}})");
}

TEST_F(DatastoreClientTest, EmptyUnfinishedBatchIsContinued) {
  transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"moreResults": "NOT_FINISHED",
                                                  "endCursor": "C"}})"));
  // The emulator ends an empty result in this way.
  transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"endCursor": "D",
                                                  "moreResults": "MORE_RESULTS_AFTER_LIMIT"}})"));
  EXPECT_THAT(client_.FindKeys("K", {}, 20, never_).value(), SizeIs(0));
  EXPECT_EQ(Sent(1)["query"]["startCursor"], "C");
}

TEST_F(DatastoreClientTest, EndlessEmptyBatchesAreTransient) {
  transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"moreResults": "NOT_FINISHED"}})"));
  EXPECT_TRUE(IsTransient(client_.FindKeys("K", {}, 20, never_).status()));
  for (int i = 0; i < 20; ++i) {
    transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"moreResults": "NOT_FINISHED",
                                                    "endCursor": "C"}})"));
  }
  EXPECT_TRUE(IsTransient(client_.FindKeys("K", {}, 20, never_).status()));
}

// A server that accepts each request and never answers.
class SilentServer : public HttpTransport {
 public:
  explicit SilentServer(FakeClock& clock) : clock_(clock) {}
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override {
    timeouts.push_back(request.timeout);
    for (absl::Duration waited; waited < request.timeout; waited += absl::Seconds(1)) {
      clock_.Advance(absl::Seconds(1));
      if (waited == absl::Seconds(2) && on_third_second) on_third_second();
      RETURN_IF_ERROR(request.on_progress());
    }
    return Transient(absl::DeadlineExceededError("no answer"), maybe_applied);
  }

  std::vector<absl::Duration> timeouts;
  std::function<void()> on_third_second;
  bool maybe_applied = true;

 private:
  FakeClock& clock_;
};

class DatastoreTimeTest : public testing::Test {
 protected:
  void Query(int times) {
    for (int i = 0; i < times; ++i) (void)client_.FindKeys("K", {}, 20, never_);
  }
  std::vector<int64_t> Seconds() const {
    std::vector<int64_t> seconds;
    for (const auto& each : server_.timeouts) seconds.push_back(absl::ToInt64Seconds(each));
    return seconds;
  }

  FakeClock clock_;
  SilentServer server_{clock_};
  ApiClient api_{{"http://emulator", nullptr}, server_, clock_};
  CancelToken stop_;
  CancelToken never_;
  int lives_ = 0;
  DatastoreClient client_{api_, "p", {.stop = &stop_, .alive = [this] { ++lives_; }}};
};

TEST_F(DatastoreTimeTest, TimeoutDoublesTimeLimit) {
  Query(6);
  EXPECT_THAT(Seconds(), ElementsAre(4, 8, 16, 32, 60, 60));
  EXPECT_EQ(lives_, 4 + 8 + 16 + 32 + 60 + 60);
  (void)client_.Lookup({{"K", "a"}}, never_);  // each method has its own time limit
  EXPECT_EQ(Seconds().back(), 4);
}

TEST_F(DatastoreTimeTest, FailedConnectionKeepsTimeLimit) {
  server_.maybe_applied = false;
  Query(3);
  EXPECT_THAT(Seconds(), ElementsAre(4, 4, 4));
}

TEST_F(DatastoreTimeTest, StopLimitsRequestToFourSeconds) {
  Query(4);
  const absl::Time start = clock_.Now();
  server_.on_third_second = [this] { stop_.Cancel(CancelKind::kHandBack, "SIGTERM"); };
  EXPECT_TRUE(absl::IsDeadlineExceeded(client_.FindKeys("K", {}, 20, never_).status()));
  EXPECT_EQ(clock_.Now() - start, absl::Seconds(3 + 4));
  server_.on_third_second = nullptr;
  Query(1);
  EXPECT_EQ(Seconds().back(), 7);
}

TEST(AnswerTimeTest, LimitFollowsAnswerTimes) {
  AnswerTime time(absl::Seconds(4), absl::Seconds(60));
  time.Missed(absl::Seconds(4));
  EXPECT_EQ(time.limit(), absl::Seconds(8));
  for (int i = 0; i < 9; ++i) time.Answered(absl::Seconds(6));  // slow, but in time
  EXPECT_EQ(time.limit(), absl::Seconds(12));
  time.Missed(absl::Seconds(4));  // sent before the limit grew
  EXPECT_EQ(time.limit(), absl::Seconds(12));
  time.Answered(absl::Milliseconds(5));
  EXPECT_EQ(time.limit(), absl::Seconds(6));
  time.Answered(absl::Milliseconds(5));
  EXPECT_EQ(time.limit(), absl::Seconds(4));
  time.Answered(absl::Seconds(50));
  EXPECT_EQ(time.limit(), absl::Seconds(60));
  time.Answered(-absl::Seconds(50));  // the clock was set
  EXPECT_EQ(time.limit(), absl::Seconds(30));
}

TEST_F(DatastoreClientTest, CommitUpdatesEntityInTransaction) {
  transport_.Answer(kCommit, MakeResponse(200, R"({"mutationResults": [{"version": "2"}]})"));
  EXPECT_EQ(Commit().value(), CommitEnd::kApplied);
  EXPECT_EQ(DumpJson(Sent(0)),
            R"({"mode":"TRANSACTIONAL","mutations":[{"update":{"key":{"path":[{"kind":"K",)"
            R"("name":"a"}]}}}],"transaction":"TX"})");
}

TEST_F(DatastoreClientTest, CommitReportsContention) {
  transport_.Answer(kCommit, MakeResponse(409, R"({"error": {"status": "ABORTED"}})"));
  EXPECT_EQ(Commit().value(), CommitEnd::kContention);
}

TEST_F(DatastoreClientTest, ContentionAfterRetryIsUnknown) {
  transport_.Answer(kCommit, MakeResponse(429, R"({"error": {"status": "RESOURCE_EXHAUSTED"}})"));
  transport_.Answer(kCommit, MakeResponse(409, R"({"error": {"status": "ABORTED"}})"));
  EXPECT_EQ(Commit().value(), CommitEnd::kUnknown);
}

// D20: a commit that the server may have applied is not sent again.
TEST_F(DatastoreClientTest, UnclearCommitIsNotRepeated) {
  transport_.Fail(kCommit, Transient(absl::UnavailableError("reset"), /*maybe_applied=*/true));
  EXPECT_EQ(Commit().value(), CommitEnd::kUnknown);
  for (const int status : {307, 400, 403, 409, 499, 500, 503, 504, 520}) {
    transport_.Answer(kCommit, MakeResponse(status, "<html>"));
    EXPECT_EQ(Commit().value(), CommitEnd::kUnknown) << status;
  }
  transport_.Answer(kCommit, MakeResponse(400, kExpired));
  EXPECT_EQ(Commit().value(), CommitEnd::kUnknown);
  for (const char* body : {"<html>", "{}"}) {
    transport_.Answer(kCommit, MakeResponse(200, body));
    EXPECT_EQ(Commit().value(), CommitEnd::kUnknown) << body;
  }
  transport_.Fail(kCommit, absl::ResourceExhaustedError("endless headers"));
  EXPECT_EQ(Commit().value(), CommitEnd::kUnknown);
  EXPECT_THAT(transport_.requests(), SizeIs(14));
}

TEST_F(DatastoreClientTest, UnsentCommitIsRetried) {
  transport_.Fail(kCommit, Transient(absl::UnavailableError("refused"), /*maybe_applied=*/false));
  transport_.Answer(kCommit, MakeResponse(429));
  transport_.Answer(kCommit, MakeResponse(200, R"({"mutationResults": [{}]})"));
  EXPECT_EQ(Commit().value(), CommitEnd::kApplied);
}

TEST_F(DatastoreClientTest, RefusedCommitNamesCall) {
  transport_.Answer(kCommit, MakeResponse(400, R"({"error": {"status": "INVALID_ARGUMENT",
      "message": "The value of property \"s\" is longer than 1500 bytes."}})"));
  const absl::Status status = Commit().status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), StartsWith("Datastore commit: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("longer than 1500 bytes"));
}

TEST_F(DatastoreClientTest, RollbackIsSentOnce) {
  transport_.Answer(":rollback", MakeResponse(503));
  EXPECT_TRUE(IsTransient(client_.Rollback("TX")));
  EXPECT_EQ(DumpJson(Sent(0)), R"({"transaction":"TX"})");
}

TEST_F(DatastoreClientTest, RollbackNeedsDatastoreAnswer) {
  for (const char* body : {"<html>", "", "[]"}) {
    transport_.Answer(":rollback", MakeResponse(200, body));
    EXPECT_TRUE(IsTransient(client_.Rollback("TX"))) << body;
  }
  transport_.Answer(":rollback", MakeResponse(200, "{}"));
  EXPECT_TRUE(client_.Rollback("TX").ok());
}

}  // namespace
}  // namespace sparkles
