// Tokens of the VM's own service account, from the metadata server.
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
  // Borrows both.
  MetadataTokenSource(MetadataServer& server, Clock& clock) : server_(server), clock_(clock) {}

  // FailedPrecondition if this is no VM of Google, or one without a service account.
  absl::StatusOr<AccessToken> Get(const CancelToken& cancel) override;
  void Drop(const AccessToken&) override {}

 private:
  // With the scopes, which a VM has for its life: what is missing there no role can mend.
  std::string Owner(const CancelToken& cancel);

  MetadataServer& server_;
  Clock& clock_;
  Mutex mutex_;
  std::string owner_ ABSL_GUARDED_BY(mutex_);  // empty: not asked for yet
};

}  // namespace sparkles
