// Gets tokens of the VM's own service account from the metadata server.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "gcp/metadata_server.h"
#include "gcp/token_source.h"

namespace sparkles {

class MetadataTokenSource : public TokenSource {
 public:
  // Borrows `server` and `clock`.
  MetadataTokenSource(MetadataServer& server, Clock& clock) : server_(server), clock_(clock) {}

  // FailedPrecondition if this is not a VM of Google, or a VM without a service account.
  absl::StatusOr<AccessToken> Get(const CancelToken& cancel) override;
  void Invalidate(const AccessToken&) override {}

 private:
  // The account with its scopes. The scopes of a running VM are fixed, and no role replaces a
  // missing scope.
  std::string Owner(const CancelToken& cancel);

  MetadataServer& server_;
  Clock& clock_;
  Mutex mutex_;
  std::string owner_ ABSL_GUARDED_BY(mutex_);  // empty until the first Get
};

}  // namespace sparkles
