// Finds the application default credentials of this machine, in the order of Google's own tools.
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

// Uses the first of: the file that GOOGLE_APPLICATION_CREDENTIALS names, the well-known file, the
// metadata server. Looks for them at the first Get, so a worker that needs no credentials can run
// without any. Fetches a new token at each Get: put a TokenCache in front.
class DefaultTokenSource : public TokenSource {
 public:
  // Borrows metadata, transport and clock.
  DefaultTokenSource(Environment environment, MetadataServer& metadata, HttpTransport& transport,
                     Clock& clock)
      : environment_(std::move(environment)),
        metadata_(metadata),
        transport_(transport),
        clock_(clock) {}

  // FailedPrecondition if there are no credentials; the message names the three places.
  // InvalidArgument if the credentials in one place cannot be used; the message names the file or
  // the variable.
  absl::StatusOr<AccessToken> Get(const CancelToken& cancel) override;
  void Invalidate(const AccessToken&) override {}

  // True if Get asks the metadata server, because no other place has credentials.
  bool UsesMetadata();
  // The error that no place has credentials. The message includes `metadata_error`.
  absl::Status NoCredentials(const absl::Status& metadata_error) const;

 private:
  struct Found {
    std::unique_ptr<TokenSource> source;
    bool from_metadata = false;
    std::string quota_project;
  };

  absl::StatusOr<const Found*> Find();
  absl::StatusOr<Found> Search() const;

  const Environment environment_;
  MetadataServer& metadata_;
  HttpTransport& transport_;
  Clock& clock_;
  Mutex mutex_;
  std::unique_ptr<const Found> found_ ABSL_GUARDED_BY(mutex_);  // constant once set
};

// The project in GOOGLE_CLOUD_QUOTA_PROJECT; empty if there is none. InvalidArgument if the value
// is not a valid project name.
absl::StatusOr<std::string> QuotaProjectOf(const Environment& environment);

// The project: `flag` if it is not empty, or the first of GOOGLE_CLOUD_PROJECT, GCLOUD_PROJECT,
// project_id and quota_project_id of the credentials file, and the metadata server. If
// DATASTORE_EMULATOR_HOST is set, DATASTORE_PROJECT_ID and DATASTORE_DATASET come before these.
// FailedPrecondition if there is no project; the message lists the places.
absl::StatusOr<std::string> FindProjectId(absl::string_view flag, const Environment& environment,
                                          MetadataServer& metadata, const CancelToken& cancel);

}  // namespace sparkles
