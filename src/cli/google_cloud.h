// Everything that talks to Google, put together in one place.
#pragma once

#include "base/clock.h"
#include "base/vitals.h"
#include "gcp/adc.h"
#include "gcp/api_client.h"
#include "gcp/environment.h"
#include "gcp/gcs_client.h"
#include "gcp/metadata_server.h"
#include "gcp/token_cache.h"
#include "http/curl_transport.h"
#include "storage/gcs_store.h"

namespace sparkles {

// Making it asks nobody: credentials are looked for when the first request needs a token, so that
// who uses file:// URLs only needs no cloud.
class GoogleCloud {
 public:
  // Borrows `clock` and `vitals`, which may be null. DATASTORE_EMULATOR_HOST, STORAGE_EMULATOR_HOST
  // and GCE_METADATA_HOST count.
  GoogleCloud(const Environment& environment, Clock& clock, Vitals* vitals = nullptr);

  MetadataServer& metadata() { return metadata_; }
  ApiClient& datastore_api() { return datastore_api_; }
  ObjectStore& store() { return store_; }

 private:
  // Each borrows those above it.
  CurlTransport transport_;
  MetadataServer metadata_;
  DefaultTokenSource credentials_;
  TokenCache tokens_;
  ApiClient datastore_api_;
  ApiClient storage_api_;
  GcsClient gcs_;
  GcsStore store_;
};

}  // namespace sparkles
