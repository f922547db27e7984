// A project on the Datastore emulator, with a queue's connection to it and the actions of a client.
// The client's actions do not go through the queue under test.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "gcp/api_client.h"
#include "gcp/datastore_client.h"
#include "http/curl_transport.h"
#include "queue/datastore_queue.h"
#include "task/task.h"
#include "tests/support/recorded_log.h"

namespace sparkles {

// Passes requests on to the emulator, counts them by method ("lookup", "commit", ...), and lets a
// test intercept them. Thread-safe.
class InterceptingTransport : public HttpTransport {
 public:
  using Interceptor = std::function<absl::StatusOr<HttpResponse>(const std::string& method,
                                                                 const HttpRequest& request)>;

  // Call while no request is sent. Empty: all requests go through.
  void SetInterceptor(Interceptor interceptor) { interceptor_ = std::move(interceptor); }
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request) override;
  // Sends a request without interception.
  absl::StatusOr<HttpResponse> PassOn(const HttpRequest& request) { return curl_.Send(request); }
  // The methods of all requests so far.
  std::vector<std::string> methods() const;

 private:
  CurlTransport curl_{CaRoots{}};
  Interceptor interceptor_;
  mutable Mutex mutex_;
  std::vector<std::string> methods_ ABSL_GUARDED_BY(mutex_);
};

class DatastoreLab {
 public:
  static constexpr char kCluster[] = "cluster";

  // EmulatorAddress() must not be empty.
  DatastoreLab();

  std::unique_ptr<DatastoreQueue> MakeQueue(const std::string& owner,
                                            ClaimJournal* journal = nullptr);
  InterceptingTransport& transport() { return transport_; }
  DatastoreClient& client() { return client_; }
  std::string LogText() const { return log_.Text(); }

  // A pending task in the form that the client writes.
  static Json PendingTask(const Task& task);
  static Json JobOf(const std::string& job_id, const std::string& status);
  // Writes entities without preconditions, as the client does. PutAll writes many in one request.
  void Put(const Json& entity) { PutAll({entity}); }
  void PutAll(const std::vector<Json>& entities);
  void Delete(const EntityKey& key);
  // The properties of a task; null if there is none.
  Json Properties(const std::string& task_id);
  // Makes the task pending again, as the client does.
  void Reset(const std::string& task_id);
  static void ResetProperties(Json& properties);

 private:
  void CommitMutations(const Json& mutations);

  SystemClock clock_;
  RecordedLog log_;
  const std::string project_;
  InterceptingTransport transport_;
  ApiClient api_;
  DatastoreClient client_;
};

}  // namespace sparkles
