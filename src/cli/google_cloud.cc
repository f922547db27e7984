#include "cli/google_cloud.h"

#include "base/descriptors.h"
#include "http/transient.h"

namespace sparkles {
namespace {

// An outage of Cloud Storage must not cost the outputs of a task that took hours.
constexpr absl::Duration kStorageMaxElapsed = absl::Minutes(30);
constexpr char kStorageEmulator[] = "STORAGE_EMULATOR_HOST";

ApiEndpoint DatastoreEndpoint(const Environment& environment, TokenSource& tokens,
                              WorkerMetrics* metrics) {
  ApiEndpoint endpoint = EndpointOf("https://datastore.googleapis.com", environment,
                                    "DATASTORE_EMULATOR_HOST", tokens);
  if (metrics != nullptr) endpoint.retries = &metrics->datastore_retries;
  endpoint.roles = "roles/datastore.user";
  return endpoint;
}

ApiEndpoint StorageEndpoint(const Environment& environment, TokenSource& tokens) {
  ApiEndpoint endpoint =
      EndpointOf("https://storage.googleapis.com", environment, kStorageEmulator, tokens);
  endpoint.roles = "roles/storage.objectUser";
  return endpoint;
}

// One or two failures of a request are normal. A longer outage is logged once in each interval.
constexpr int kFailuresBeforeWarning = 3;
constexpr absl::Duration kWarningInterval = absl::Seconds(30);

RetryPolicy StoragePolicy(WorkerMetrics* metrics, OutageLog& outage_log) {
  return {.max_elapsed = kStorageMaxElapsed,
          .retries = metrics != nullptr ? &metrics->storage_retries : nullptr,
          .observer = &outage_log};
}

// Descriptors of one transfer: its file, its connection, and those that libcurl needs to wait.
constexpr int kTransferDescriptors = 6;

GcsStoreOptions StoreOptions() {
  GcsStoreOptions options;
  options.connections = CountWithinDescriptors(options.connections, kTransferDescriptors);
  return options;
}

}  // namespace

void OutageLog::OnWait(const absl::Status& status, int failures) {
  if (log_ == nullptr || failures < kFailuresBeforeWarning) return;
  {
    MutexLock lock(mutex_);
    const absl::Time now = clock_.Now();
    if (now - last_ < kWarningInterval) return;
    last_ = now;
  }
  log_->Warning("Cloud Storage: ", status.message(), "; the request is retried for up to ",
                absl::FormatDuration(kStorageMaxElapsed));
}

GoogleCloud::GoogleCloud(const Environment& environment, Clock& clock, WorkerMetrics* metrics,
                         const Log* log, const CloudSettings& settings)
    : transport_(FindCaRoots(environment)),
      metadata_(FindMetadataAddress(environment), transport_, clock, settings.metadata_timeout),
      credentials_(environment, metadata_, transport_, clock),
      tokens_(credentials_, clock),
      storage_needs_token_(environment(kStorageEmulator).empty()),
      datastore_api_(DatastoreEndpoint(environment, tokens_, metrics), transport_, clock),
      storage_api_(StorageEndpoint(environment, tokens_), transport_, clock),
      outage_log_(clock, log),
      storage_access_(
          settings.permission_max_elapsed, clock, log,
          [environment, project_id = settings.project_id, this](const CancelToken& cancel) {
            absl::StatusOr<std::string> quota = QuotaProjectOf(environment);
            const bool chosen = !quota.ok() || !quota->empty();
            return chosen ? quota : FindProjectId(project_id, environment, metadata_, cancel);
          }),
      gcs_(storage_api_, clock, StoragePolicy(metrics, outage_log_), &storage_access_),
      store_(gcs_, StoreOptions()) {}

absl::Status GoogleCloud::CheckCredentials(const CancelToken& cancel) {
  if (!storage_needs_token_) return absl::OkStatus();
  const absl::Status status = tokens_.Get(cancel).status();
  if (!IsTransient(status)) return status;
  return credentials_.UsesMetadata() ? credentials_.NoCredentials(status) : absl::OkStatus();
}

}  // namespace sparkles
