#include "summary/job_tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "http/transient.h"
#include "tests/support/fake_clock.h"
#include "tests/support/scripted_transport.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class JobTasksTest : public testing::Test {
 protected:
  static std::string Text(const char* name, const std::string& text) {
    return absl::StrCat("\"", name, R"(":{"stringValue":")", text, "\"}");
  }

  // An entity with these properties.
  static std::string TaskJson(const std::string& id, const std::vector<std::string>& properties) {
    return absl::StrCat(R"({"entity":{"key":{"path":[{"kind":"SparklesV5Task","name":")", id,
                        R"("}]},"properties":{)", absl::StrJoin(properties, ","), "}}}");
  }

  void AnswerQuery(const std::vector<std::string>& results, const char* more) {
    transport_.Answer(":runQuery",
                      MakeResponse(200, absl::StrCat(R"({"batch":{"moreResults":")", more,
                                                     R"(","endCursor":"C","entityResults":[)",
                                                     absl::StrJoin(results, ","), "]}}")));
  }
  // `status` null: there is no such job.
  void AnswerJob(const char* status) {
    const std::string key = R"("key":{"path":[{"kind":"Job","name":"job"}]})";
    transport_.Answer(
        ":lookup", MakeResponse(200, status == nullptr
                                         ? absl::StrCat(R"({"missing":[{"entity":{)", key, "}}]}")
                                         : absl::StrCat(R"({"found":[{"version":"1","entity":{)",
                                                        key, R"(,"properties":{)",
                                                        Text("status", status), "}}}]}")));
  }
  absl::StatusOr<JobTasks> Read() {
    return ReadJobTasks(client_, "job", clock_, never_, [this](size_t tasks) { seen_ = tasks; });
  }

  FakeClock clock_;
  ScriptedTransport transport_;
  ApiClient api_{{"http://emulator", nullptr}, transport_, clock_};
  DatastoreClient client_{api_, "p"};
  CancelToken never_;
  size_t seen_ = 0;
};

TEST_F(JobTasksTest, PagesAreJoinedInOrder) {
  AnswerQuery({TaskJson("job.1", {Text("status", "complete"), Text("exit_code", "3"),
                                  Text("command_result_url", "gs://b/1")}),
               TaskJson("job.10", {Text("status", "failed"), Text("failure_reason", "x"),
                                   Text("command_result_url", "gs://b/10")})},
              "NOT_FINISHED");
  AnswerQuery({TaskJson("job.2", {Text("status", "pending"), Text("command_result_url", "gs://b/2"),
                                  R"("exit_code":{"nullValue":null})"})},
              "NO_MORE_RESULTS");
  AnswerJob("submitted");
  const auto tasks = Read();
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  ASSERT_THAT(tasks->rows, SizeIs(3));
  EXPECT_EQ(tasks->rows[0].exit_code, "3");
  EXPECT_EQ(tasks->rows[0].result_url, "gs://b/1");
  EXPECT_EQ(tasks->rows[1].id, "job.2");
  EXPECT_EQ(tasks->rows[1].result_url, "");  // no result of an earlier attempt
  EXPECT_EQ(tasks->rows[2].failure_reason, "x");
  EXPECT_FALSE(tasks->killed);
  EXPECT_EQ(seen_, 3U);
  EXPECT_THAT(transport_.requests()[1].body, HasSubstr("job.10"));  // continues after this key
}

TEST_F(JobTasksTest, MissingUrlIsFoundInSpec) {
  AnswerQuery({TaskJson("job.1", {Text("status", "complete")}),
               TaskJson("job.2", {Text("status", "pending")}),
               TaskJson("job.3", {Text("status", "failed")})},
              "NO_MORE_RESULTS");
  AnswerJob("submitted");
  const std::string spec = Text("args", R"({\"command_result_url\":\"gs://b/1\"})");
  const std::string missing =
      absl::StrReplaceAll(TaskJson("job.3", {}), {{R"(,"properties":{})", ""}});
  const std::string found = absl::StrCat(R"({"version":"1",)", TaskJson("job.1", {spec}).substr(1));
  transport_.Answer(":lookup", MakeResponse(200, absl::StrCat(R"({"missing":[)", missing,
                                                              R"(],"found":[)", found, "]}")));
  const auto tasks = Read();
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  EXPECT_EQ(tasks->rows[0].result_url, "gs://b/1");
  EXPECT_EQ(tasks->rows[1].result_url, "");
  EXPECT_EQ(tasks->rows[2].result_url, "");
}

TEST_F(JobTasksTest, KilledJobIsTold) {
  AnswerQuery({}, "NO_MORE_RESULTS");
  AnswerJob("killed");
  const auto tasks = Read();
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  EXPECT_TRUE(tasks->killed);
  EXPECT_TRUE(tasks->rows.empty());
}

TEST_F(JobTasksTest, MissingJobIsNotFound) {
  AnswerQuery({}, "NO_MORE_RESULTS");
  AnswerJob(nullptr);
  AnswerQuery({}, "NO_MORE_RESULTS");
  const auto tasks = Read();
  EXPECT_TRUE(absl::IsNotFound(tasks.status()));
  EXPECT_EQ(tasks.status().message(), "job job: does not exist");
}

TEST_F(JobTasksTest, JobOfNewerClientIsNamed) {
  AnswerQuery({}, "NO_MORE_RESULTS");
  AnswerJob(nullptr);
  AnswerQuery({TaskJson("job.1", {})}, "NO_MORE_RESULTS");
  EXPECT_THAT(std::string(Read().status().message()), HasSubstr("SparklesV6Task"));
}

TEST_F(JobTasksTest, OutageIsRetried) {
  for (int i = 0; i < 2; ++i) {
    transport_.Do(":runQuery", [this](const HttpRequest&) {
      clock_.Advance(absl::Minutes(1));  // longer than the client retries
      return Transient(absl::UnavailableError("down"), false);
    });
  }
  AnswerQuery({TaskJson("job.1", {})}, "NO_MORE_RESULTS");
  AnswerJob("submitted");
  EXPECT_TRUE(Read().ok());
}

TEST_F(JobTasksTest, RefusalIsNotRetried) {
  transport_.Answer(":runQuery", MakeResponse(403, R"({"error":{"status":"PERMISSION_DENIED",
                                                      "message":"no role"}})"));
  EXPECT_TRUE(absl::IsPermissionDenied(Read().status()));
}

}  // namespace
}  // namespace sparkles
