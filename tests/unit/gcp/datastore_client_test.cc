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
class DatastoreClientTest : public testing::Test {
 protected:
  Json Sent(size_t index) { return ParseJson(transport_.requests()[index].body).value(); }

  absl::StatusOr<std::optional<int64_t>> Update() {
    Json json = {{"key", ToJson({"K", "a"})}};
    return client_.Update(Entity::Parse(json).value(), /*base_version=*/7);
  }
  // True if the update is certainly applied.
  bool IsApplied() {
    const auto version = Update();
    EXPECT_TRUE(version.ok()) << version.status();
    return version.ok() && *version;
  }

  static std::string Found(const std::string& name) {
    return R"({"entity": {"key": {"partitionId": {"projectId": "p"},
               "path": [{"kind": "K", "name": ")" +
           name + R"("}]}, "properties": {}}, "version": "8"})";
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
  ASSERT_THAT(*result, SizeIs(3));
  EXPECT_EQ(ParseEntityKey((*result)[0]->entity.key())->name, "a");
  EXPECT_EQ((*result)[0]->version, 8);
  EXPECT_FALSE((*result)[1]);
  EXPECT_EQ(ParseEntityKey((*result)[2]->entity.key())->name, "c");
  EXPECT_EQ(*transport_.requests()[0].headers.Find("Content-Type"), "application/json");
}

// The answer of databases with pessimistic locks.
TEST_F(DatastoreClientTest, LockedReadsAreUnavailable) {
  for (const char* method : {kLookup, kQuery}) {
    transport_.Answer(method, MakeResponse(409, R"({"error": {"status": "ABORTED"}})"));
  }
  EXPECT_TRUE(absl::IsUnavailable(client_.Lookup({{"K", "a"}}, never_).status()));
  EXPECT_TRUE(absl::IsUnavailable(client_.FindKeys("K", {}, Json(), 20, never_).status()));
}

TEST_F(DatastoreClientTest, DeferredKeysAreLookedUpAgain) {
  transport_.Answer(kLookup, MakeResponse(200, R"({"found": [)" + Found("a") +
                                                   R"(], "deferred": [{"path": [{"kind": "K",
                                                   "name": "b"}]}]})"));
  transport_.Answer(kLookup, MakeResponse(200, R"({"found": [)" + Found("b") + "]}"));
  const auto result = client_.Lookup({{"K", "a"}, {"K", "b"}}, never_);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE((*result)[0] && (*result)[1]);
  EXPECT_EQ(DumpJson(Sent(1)["readOptions"]), R"({"readConsistency":"STRONG"})");
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
    const absl::Status error = client_.Lookup({{"K", "a"}}, never_).status();
    EXPECT_TRUE(absl::IsUnavailable(error) && IsTransient(error)) << error;
  }
}

TEST_F(DatastoreClientTest, GarbledAnswersAreErrors) {
  for (const char* body :
       {"<html>", "[]", "{}", R"({"missing": []})", R"({"found": 3})", R"({"found": [{}]})",
        R"({"found": [{"entity": {"key": {"path": []}}}]})",
        R"({"found": [{"entity": {"key": {"path": [{"kind": "K", "name": "a"}]}}}]})"}) {
    transport_.Answer(kLookup, MakeResponse(200, body));
    EXPECT_FALSE(client_.Lookup({{"K", "a"}}, never_).ok()) << body;
  }
  for (const char* body : {"", "{}", R"({"batch": {"entityResults": 1}})",
                           R"({"batch": {"entityResults": [{"entity": {}}]}})"}) {
    transport_.Answer(kQuery, MakeResponse(200, body));
    EXPECT_FALSE(client_.FindKeys("K", {}, Json(), 20, never_).ok()) << body;
  }
}

TEST_F(DatastoreClientTest, KeysOnlyQueryIsSentOnce) {
  transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"moreResults": "NOT_FINISHED",
      "endCursor": "C", "entityResults": [{"entity": {"key": {"path": [{"kind": "K",
      "name": "a"}]}}}]}})"));
  const auto page = client_.FindKeys(
      "K", {{"cluster", StringValue("c")}, {"status", StringValue("pending")}}, Json(), 20, never_);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->keys, SizeIs(1));
  EXPECT_FALSE(page->at_end);
  const Json query = Sent(0)["query"];
  EXPECT_EQ(DumpJson(query["projection"]), R"([{"property":{"name":"__key__"}}])");
  EXPECT_EQ(query["limit"], 20);
  EXPECT_EQ(DumpJson(query["kind"]), R"([{"name":"K"}])");
  EXPECT_EQ(DumpJson(query["filter"]["compositeFilter"]["filters"][1]),
            R"({"propertyFilter":{"op":"EQUAL","property":{"name":"status"},)"
            R"("value":{"stringValue":"pending"}}})");
}

TEST_F(DatastoreClientTest, QueryContinuesBehindKey) {
  const Json after = ToJson({"K", "job.17"});
  transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"moreResults": "NO_MORE_RESULTS"}})"));
  const auto page = client_.FindKeys("K", {{"status", StringValue("pending")}}, after, 20, never_);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_TRUE(page->at_end);
  EXPECT_EQ(DumpJson(Sent(0)["query"]["filter"]["compositeFilter"]["filters"][1]),
            R"({"propertyFilter":{"op":"GREATER_THAN","property":{"name":"__key__"},)"
            R"("value":{"keyValue":{"path":[{"kind":"K","name":"job.17"}]}}}})");
}

TEST_F(DatastoreClientTest, QueryForEntitiesHasMask) {
  transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"moreResults": "NO_MORE_RESULTS",
      "entityResults": [)" + Found("a") + "," + Found("b") +
                                                  "]}}"));
  const auto page = client_.FindEntities("K", {{"job_id", StringValue("j")}},
                                         {"status", "exit_code"}, Json(), 1000, never_);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_THAT(page->entities, SizeIs(2));
  EXPECT_EQ(ParseEntityKey(page->entities[1].key())->name, "b");
  EXPECT_TRUE(page->at_end);
  EXPECT_EQ(DumpJson(Sent(0)["propertyMask"]), R"({"paths":["status","exit_code"]})");
  EXPECT_FALSE(Sent(0)["query"].contains("projection"));
}

TEST_F(DatastoreClientTest, GarbledEntitiesAreAnError) {
  transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"entityResults": [{"entity":
      {"key": {"path": []}, "properties": 7}}]}})"));
  EXPECT_TRUE(IsTransient(client_.FindEntities("K", {}, {}, Json(), 20, never_).status()));
}

TEST_F(DatastoreClientTest, EmptyUnfinishedBatchIsContinued) {
  transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"moreResults": "NOT_FINISHED",
                                                  "endCursor": "C"}})"));
  // The emulator ends an empty result in this way.
  transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"endCursor": "D",
                                                  "moreResults": "MORE_RESULTS_AFTER_LIMIT"}})"));
  const KeyPage page = client_.FindKeys("K", {}, Json(), 20, never_).value();
  EXPECT_TRUE(page.keys.empty() && page.at_end);
  EXPECT_EQ(Sent(1)["query"]["startCursor"], "C");
}

TEST_F(DatastoreClientTest, EndlessEmptyBatchesAreTransient) {
  transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"moreResults": "NOT_FINISHED"}})"));
  EXPECT_TRUE(IsTransient(client_.FindKeys("K", {}, Json(), 20, never_).status()));
  for (int i = 0; i < 20; ++i) {
    transport_.Answer(kQuery, MakeResponse(200, R"({"batch": {"moreResults": "NOT_FINISHED",
                                                    "endCursor": "C"}})"));
  }
  EXPECT_TRUE(IsTransient(client_.FindKeys("K", {}, Json(), 20, never_).status()));
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
    for (int i = 0; i < times; ++i) (void)client_.FindKeys("K", {}, Json(), 20, never_);
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
  Heartbeat heartbeat_;
  DatastoreClient client_{api_, "p", {.stop = &stop_, .heartbeat = &heartbeat_}};
};

TEST_F(DatastoreTimeTest, TimeoutDoublesTimeLimit) {
  Query(6);
  EXPECT_THAT(Seconds(), ElementsAre(4, 8, 16, 32, 60, 60));
  EXPECT_EQ(heartbeat_.beats(), 4 + 8 + 16 + 32 + 60 + 60);
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
  EXPECT_TRUE(absl::IsDeadlineExceeded(client_.FindKeys("K", {}, Json(), 20, never_).status()));
  EXPECT_EQ(clock_.Now() - start, absl::Seconds(3 + 4));
  server_.on_third_second = nullptr;
  Query(1);
  EXPECT_EQ(Seconds().back(), 7);
}

TEST(AdaptiveTimeoutTest, LimitFollowsAnswerTimes) {
  AdaptiveTimeout time(absl::Seconds(4), absl::Seconds(60));
  time.OnTimeout(absl::Seconds(4));
  EXPECT_EQ(time.limit(), absl::Seconds(8));
  for (int i = 0; i < 9; ++i) time.OnAnswer(absl::Seconds(6));  // slow, but in time
  EXPECT_EQ(time.limit(), absl::Seconds(12));
  time.OnTimeout(absl::Seconds(4));  // sent before the limit grew
  EXPECT_EQ(time.limit(), absl::Seconds(12));
  time.OnAnswer(absl::Milliseconds(5));
  EXPECT_EQ(time.limit(), absl::Seconds(6));
  time.OnAnswer(absl::Milliseconds(5));
  EXPECT_EQ(time.limit(), absl::Seconds(4));
  time.OnAnswer(absl::Seconds(50));
  EXPECT_EQ(time.limit(), absl::Seconds(60));
  time.OnAnswer(-absl::Seconds(50));  // the clock was set
  EXPECT_EQ(time.limit(), absl::Seconds(30));
}

TEST_F(DatastoreClientTest, UpdateIsOneTransaction) {
  transport_.Answer(kCommit, MakeResponse(200, R"({"mutationResults": [{"version": "9"}]})"));
  EXPECT_EQ(Update().value(), 9);
  EXPECT_EQ(DumpJson(Sent(0)),
            R"({"mode":"TRANSACTIONAL","mutations":[{"baseVersion":"7","update":{"key":{"path":)"
            R"([{"kind":"K","name":"a"}]}}}],"singleUseTransaction":{"readWrite":{}}})");
}

constexpr char kConflict[] = R"({"mutationResults": [{"version": "8", "conflictDetected": true}]})";
constexpr char kAborted[] = R"({"error": {"status": "ABORTED"}})";

// The network may have copied the request, and the conflict may be with the first copy.
TEST_F(DatastoreClientTest, UpdateInConflictIsUnknown) {
  transport_.Answer(kCommit, MakeResponse(200, kConflict));
  EXPECT_FALSE(IsApplied());
  transport_.Answer(kCommit, MakeResponse(409, kAborted));
  EXPECT_FALSE(IsApplied());
}

// D20
TEST_F(DatastoreClientTest, UpdateWithoutClearAnswerIsUnknown) {
  transport_.Fail(kCommit, Transient(absl::UnavailableError("reset"), /*maybe_applied=*/true));
  EXPECT_FALSE(IsApplied());
  for (const int status : {307, 400, 403, 409, 499, 500, 503, 504, 520}) {
    transport_.Answer(kCommit, MakeResponse(status, "<html>"));
    EXPECT_FALSE(IsApplied()) << status;
  }
  for (const char* body :
       {"<html>", "{}", R"({"mutationResults": []})", R"({"mutationResults": [{}]})",
        R"({"mutationResults": [7, 8]})", R"({"mutationResults": [{"version": "-1"}]})"}) {
    transport_.Answer(kCommit, MakeResponse(200, body));
    EXPECT_FALSE(IsApplied()) << body;
  }
  transport_.Fail(kCommit, absl::ResourceExhaustedError("endless headers"));
  EXPECT_FALSE(IsApplied());
  EXPECT_THAT(transport_.requests(), SizeIs(17)) << "an unknown update must not be sent again";
}

TEST_F(DatastoreClientTest, UnsentUpdateIsRetried) {
  transport_.Fail(kCommit, Transient(absl::UnavailableError("refused"), /*maybe_applied=*/false));
  transport_.Answer(kCommit, MakeResponse(429));
  transport_.Answer(kCommit, MakeResponse(200, R"({"mutationResults": [{"version": "8"}]})"));
  EXPECT_TRUE(IsApplied());
}

TEST_F(DatastoreClientTest, RefusedUpdateNamesCall) {
  transport_.Answer(kCommit, MakeResponse(400, R"({"error": {"status": "INVALID_ARGUMENT",
      "message": "The value of property \"s\" is longer than 1500 bytes."}})"));
  const absl::Status status = Update().status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), StartsWith("Datastore commit: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("longer than 1500 bytes"));
}

}  // namespace
}  // namespace sparkles
