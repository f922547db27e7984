// Asks Cloud Storage, without making or changing an object, whether an upload would be refused.
#pragma once

#include "absl/status/status.h"
#include "gcp/gcs_client.h"
#include "gcp/gcs_object.h"

namespace sparkles {

// Starts an upload session for `name` and cancels it. testIamPermissions would speak for the whole
// bucket, and miss a grant for a prefix. PermissionDenied (after the wait of GcsAccess), NotFound
// (no such bucket) or Cancelled; any other trouble tells nothing and is OK. One attempt.
absl::Status ProbeWrite(GcsClient& client, const GcsName& name, const GcsCall& call);

// FailedPrecondition if a hold or a retention policy keeps the object that is there now, with the
// reason; Cancelled; else OK. One attempt.
absl::Status ProbeReplace(GcsClient& client, const GcsName& name, const GcsCall& call);

}  // namespace sparkles
