#include "cli/google_cloud.h"

#include "base/descriptors.h"

namespace sparkles {
namespace {

// An outage of Cloud Storage must not cost the outputs of a task that took hours.
constexpr absl::Duration kStoragePatience = absl::Minutes(30);

ApiEndpoint Counted(ApiEndpoint endpoint, Vitals* vitals) {
  if (vitals != nullptr) endpoint.retries = &vitals->datastore_retries;
  return endpoint;
}

RetryPolicy StoragePolicy(Vitals* vitals) {
  return {.patience = kStoragePatience,
          .retries = vitals != nullptr ? &vitals->storage_retries : nullptr};
}

// Of one transfer: its file, the connection, and what libcurl wakes its waits with.
constexpr int kTransferDescriptors = 6;

GcsStoreOptions StoreOptions() {
  GcsStoreOptions options;
  options.connections = CountWithinDescriptors(options.connections, kTransferDescriptors);
  return options;
}

}  // namespace

GoogleCloud::GoogleCloud(const Environment& environment, Clock& clock, Vitals* vitals)
    : transport_(FindCaRoots(environment)),
      metadata_(FindMetadataAddress(environment), transport_, clock),
      credentials_(environment, metadata_, transport_, clock),
      tokens_(credentials_, clock),
      datastore_api_(Counted(EndpointOf("https://datastore.googleapis.com",
                                        environment("DATASTORE_EMULATOR_HOST"), tokens_),
                             vitals),
                     transport_, clock),
      storage_api_(EndpointOf("https://storage.googleapis.com",
                              environment("STORAGE_EMULATOR_HOST"), tokens_),
                   transport_, clock),
      gcs_(storage_api_, clock, StoragePolicy(vitals)),
      store_(gcs_, StoreOptions()) {}

}  // namespace sparkles
