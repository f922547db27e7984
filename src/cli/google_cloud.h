// Builds the objects that access Google's services.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/worker_metrics.h"
#include "gcp/adc.h"
#include "gcp/api_client.h"
#include "gcp/environment.h"
#include "gcp/gcs_access.h"
#include "gcp/gcs_client.h"
#include "gcp/metadata_server.h"
#include "gcp/token_cache.h"
#include "http/curl_transport.h"
#include "storage/gcs_store.h"

namespace sparkles {

// Logs outages of Cloud Storage while transfers wait, at most once in 30 s.
class OutageLog : public RetryObserver {
 public:
  // Borrows `clock` and `log`. `log` may be null.
  OutageLog(Clock& clock, const Log* log) : clock_(clock), log_(log) {}
  void OnWait(const absl::Status& status, int failures) override;

 private:
  Clock& clock_;
  const Log* const log_;
  Mutex mutex_;
  absl::Time last_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

struct CloudSettings {
  absl::Duration metadata_timeout = MetadataServer::kMaxElapsed;  // see MetadataServer
  absl::Duration permission_max_elapsed = absl::ZeroDuration();   // see GcsAccess
  // From --projectId. Pays for requester-pays buckets if GOOGLE_CLOUD_QUOTA_PROJECT is not set.
  std::string project_id = "";
};

// The constructor sends no request. Credentials are read when the first request needs a token, so
// that tasks with only file:// URLs run without a cloud.
class GoogleCloud {
 public:
  // Borrows `clock`, and `metrics` and `log`, which may be null. Uses DATASTORE_EMULATOR_HOST,
  // STORAGE_EMULATOR_HOST and GCE_METADATA_HOST.
  GoogleCloud(const Environment& environment, Clock& clock, WorkerMetrics* metrics = nullptr,
              const Log* log = nullptr, const CloudSettings& settings = {});

  // An error if there are no credentials for Cloud Storage. If there is no credentials file, the
  // metadata server must answer. OK after any other transient error, and with an emulator.
  absl::Status CheckCredentials(const CancelToken& cancel);

  HttpTransport& transport() { return transport_; }
  MetadataServer& metadata() { return metadata_; }
  TokenSource& tokens() { return tokens_; }
  ApiClient& datastore_api() { return datastore_api_; }
  ApiClient& storage_api() { return storage_api_; }
  GcsClient& gcs() { return gcs_; }
  ObjectStore& store() { return store_; }
  GcsAccess& storage_access() { return storage_access_; }

 private:
  // Each member may borrow the members above it.
  CurlTransport transport_;
  MetadataServer metadata_;
  DefaultTokenSource credentials_;
  TokenCache tokens_;
  const bool storage_needs_token_;
  ApiClient datastore_api_;
  ApiClient storage_api_;
  OutageLog outage_log_;
  GcsAccess storage_access_;
  GcsClient gcs_;
  GcsStore store_;
};

}  // namespace sparkles
