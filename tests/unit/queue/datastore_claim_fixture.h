// Queues on the fake Datastore, with requests that a test intercepts.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "base/file.h"
#include "base/json.h"
#include "http/transient.h"
#include "queue/datastore_queue.h"
#include "tests/support/datastore_lab.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_datastore.h"
#include "tests/support/recorded_log.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/temp_directory.h"

namespace sparkles {

inline absl::Status LostAnswer() {
  return Transient(absl::UnavailableError("the answer was lost"), /*maybe_applied=*/true);
}

// Intercepts the requests of a queue to the fake.
class DatastoreInterceptor : public HttpTransport {
 public:
  using Interceptor = std::function<absl::StatusOr<HttpResponse>(const std::string& method,
                                                                 const HttpRequest& request)>;

  explicit DatastoreInterceptor(FakeDatastore& datastore) : datastore_(datastore) {}
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override {
    const std::string method = request.url.substr(request.url.rfind(':') + 1);
    return interceptor ? interceptor(method, request) : datastore_.Send(request);
  }

  Interceptor interceptor;  // empty: all requests go through

 private:
  FakeDatastore& datastore_;
};

class DatastoreClaimFixture : public testing::Test {
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
    return *ClaimJournal::Open(directory_.path(), /*durable=*/false);
  }

  // Loses the answer of the next commit, which is `applied` or not, and then answers nothing.
  void CutOffAtCommit(bool applied) {
    transport_.interceptor =
        [this, applied, cut = false](
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
  // Refuses all commits that contain `text`.
  void RefuseCommits(const std::string& text) {
    transport_.interceptor = [this, text](
                                 const std::string& method,
                                 const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
      if (method != "commit" || !absl::StrContains(request.body, text)) {
        return datastore_.Send(request);
      }
      return MakeResponse(400, R"({"error": {"code": 400, "status": "INVALID_ARGUMENT"}})");
    };
  }
  void Reconnect() { transport_.interceptor = nullptr; }

  std::vector<std::string> Story(const std::string& id) {
    const Json task = datastore_.Get({kTaskKind, id});
    std::vector<std::string> story;
    for (const Json* entry : Elements(JsonField(task["properties"], "history"))) {
      story.push_back(AsString(JsonField(*AsProperties(*entry), "status")).value_or("?"));
    }
    return story;
  }

  size_t Journals() const {
    const auto files = std::filesystem::directory_iterator(directory_.path());
    return static_cast<size_t>(std::distance(begin(files), end(files)));
  }
  // The text of the only journal.
  std::string Journal() const {
    EXPECT_EQ(Journals(), 1U);
    const auto file = std::filesystem::directory_iterator(directory_.path());
    return ReadFile(file->path(), 1 << 20).value_or("");
  }

  FakeClock clock_;
  RecordedLog log_;
  TempDirectory directory_;
  FakeDatastore datastore_;
  DatastoreInterceptor transport_{datastore_};
  ApiClient api_{{"http://datastore", nullptr}, transport_, clock_};
  DatastoreClient client_{api_, "p"};
  CancelToken never_;
};

}  // namespace sparkles
