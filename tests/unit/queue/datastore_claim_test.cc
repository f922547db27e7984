// What becomes of claims where Datastore does not answer, or the worker dies: on the fake.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gcp/json_text.h"
#include "http/transient.h"
#include "queue/datastore_queue.h"
#include "tests/support/datastore_lab.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_datastore.h"
#include "tests/support/recorded_log.h"
#include "tests/support/temp_folder.h"

namespace sparkles {
namespace {

using testing::ElementsAre;

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
        DatastoreQueueOptions{DatastoreLab::kCluster, owner, "", "p"}, client_, clock_, log_.log(),
        journal);
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
  void Reconnect() { transport_.meddle = nullptr; }

  std::vector<std::string> Story(const std::string& id) {
    const Json task = datastore_.Get({kTaskKind, id});
    std::vector<std::string> story;
    for (const Json* entry : Elements(JsonField(task["properties"], "history"))) {
      story.push_back(AsString(JsonField(*AsProperties(*entry), "status")).value_or("?"));
    }
    return story;
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

}  // namespace
}  // namespace sparkles
