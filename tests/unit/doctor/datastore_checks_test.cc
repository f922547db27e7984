#include "doctor/datastore_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gcp/entity.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_datastore.h"
#include "tests/support/finding_text.h"
#include "tests/support/scripted_transport.h"

namespace sparkles {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class DatastoreChecksTest : public testing::Test {
 protected:
  std::string CheckWith(HttpTransport& transport) {
    ApiClient api({"http://datastore", nullptr}, transport, clock_);
    DatastoreClient client(api, "p");
    return FindingText(
        [&](Findings& findings) { CheckDatastore(client, {"p", "c"}, cancel_, findings); });
  }

  // The findings if Datastore refuses the query in this way.
  std::string Refused(int code, const std::string& status, const std::string& message) {
    ScriptedTransport server;
    server.Answer("runQuery", MakeError(code, status, message));
    return CheckWith(server);
  }

  static HttpResponse MakeError(int code, const std::string& status, const std::string& message) {
    const Json error = {{"code", code}, {"status", status}, {"message", message}};
    return MakeResponse(code, DumpJson(Json{{"error", error}}));
  }

  FakeClock clock_;
  CancelToken cancel_;
};

TEST_F(DatastoreChecksTest, GoodDatabaseIsNotChanged) {
  FakeDatastore datastore;
  int changes = 0;
  datastore.SetOnChange([&](const EntityKey&, const Json&, const Json&, bool) { ++changes; });
  EXPECT_THAT(CheckWith(datastore),
              AllOf(HasSubstr("OK    Datastore query: project p answers in"),
                    HasSubstr("cluster c has no pending task"),
                    HasSubstr("OK    Datastore commit: the account may change tasks")));
  EXPECT_EQ(changes, 0);
}

TEST_F(DatastoreChecksTest, FailedQuerySendsNoCommit) {
  EXPECT_THAT(Refused(403, "PERMISSION_DENIED", "Missing or insufficient permissions."),
              AllOf(StartsWith("FAIL  Datastore query: "), HasSubstr("--role=roles/datastore.user"),
                    HasSubstr("SKIP  Datastore commit: not checked: the query fails")));
}

TEST_F(DatastoreChecksTest, NativeModeIsNamed) {
  EXPECT_THAT(Refused(400, "FAILED_PRECONDITION",
                      "The Cloud Datastore API is not available for Firestore in Native Mode"),
              AllOf(HasSubstr("the database of project p is Firestore in native mode"),
                    HasSubstr("--type=datastore-mode --project=p")));
}

TEST_F(DatastoreChecksTest, MissingDatabaseIsNamed) {
  EXPECT_THAT(Refused(404, "NOT_FOUND", "The database (default) does not exist"),
              AllOf(HasSubstr("does not exist"), HasSubstr("correct --projectId (now p)")));
}

TEST_F(DatastoreChecksTest, RefusedCommitFails) {
  ScriptedTransport server;
  server.Answer("runQuery", MakeResponse(200, R"({"batch":{"moreResults":"NO_MORE_RESULTS"}})"));
  server.Answer("commit", MakeError(403, "PERMISSION_DENIED", "no"));
  EXPECT_THAT(CheckWith(server),
              AllOf(HasSubstr("OK    Datastore query"), HasSubstr("FAIL  Datastore commit: "),
                    HasSubstr("--role=roles/datastore.user")));
}

TEST_F(DatastoreChecksTest, UnclearCommitWarns) {
  ScriptedTransport server;
  server.Answer("runQuery", MakeResponse(200, R"({"batch":{"moreResults":"NO_MORE_RESULTS"}})"));
  server.Answer("commit", MakeResponse(200, "{}"));
  EXPECT_THAT(CheckWith(server), HasSubstr("WARN  Datastore commit: "));
}

}  // namespace
}  // namespace sparkles
