// Application default credentials: whatever credentials this machine has, found in the order that
// all of Google's tools use.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "gcp/environment.h"
#include "gcp/metadata_server.h"
#include "gcp/token_source.h"
#include "http/transport.h"

namespace sparkles {

// The file that GOOGLE_APPLICATION_CREDENTIALS names, the well-known file, the metadata server.
// Nothing is looked for before the first Get, so that who needs no credentials needs none. Tokens
// are fetched anew each time: put a TokenCache before it.
class DefaultTokenSource : public TokenSource {
 public:
  // Borrows metadata, transport and clock.
  DefaultTokenSource(Environment environment, MetadataServer& metadata, HttpTransport& transport,
                     Clock& clock)
      : environment_(std::move(environment)),
        metadata_(metadata),
        transport_(transport),
        clock_(clock) {}

  // FailedPrecondition, naming the three places, if there are no credentials; InvalidArgument,
  // naming the file or the variable, if what stands there cannot be used.
  absl::StatusOr<AccessToken> Get(const CancelToken& cancel) override;
  void Drop(const AccessToken&) override {}

  // True if Get asks the metadata server, because no other place has credentials.
  bool UsesMetadata();
  // The error that no place has credentials, with the answer of the metadata server.
  absl::Status NoCredentials(const absl::Status& metadata_error) const;

 private:
  struct Found {
    std::unique_ptr<TokenSource> source;
    bool from_metadata = false;
    std::string quota_project;
  };

  absl::StatusOr<const Found*> Find();
  absl::StatusOr<Found> FindAnew() const;

  const Environment environment_;
  MetadataServer& metadata_;
  HttpTransport& transport_;
  Clock& clock_;
  Mutex mutex_;
  std::unique_ptr<const Found> found_ ABSL_GUARDED_BY(mutex_);  // never changed once it is set
};

// The project that GOOGLE_CLOUD_QUOTA_PROJECT names; empty: none. InvalidArgument if the value is
// not a valid project name.
absl::StatusOr<std::string> QuotaProjectOf(const Environment& environment);

// The project: `flag` if it is given; else the first of GOOGLE_CLOUD_PROJECT, GCLOUD_PROJECT,
// project_id and quota_project_id of the credentials file, the metadata server. With
// DATASTORE_EMULATOR_HOST set, DATASTORE_PROJECT_ID and DATASTORE_DATASET come before these.
// FailedPrecondition says what was tried.
absl::StatusOr<std::string> FindProjectId(absl::string_view flag, const Environment& environment,
                                          MetadataServer& metadata, const CancelToken& cancel);

}  // namespace sparkles
