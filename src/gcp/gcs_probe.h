// Asks Cloud Storage whether an upload would be refused, without making or changing an object.
#pragma once

#include "absl/status/status.h"
#include "gcp/gcs_client.h"
#include "gcp/gcs_object.h"

namespace sparkles {

// Starts an upload session for `name` and cancels it, because testIamPermissions would miss a grant
// for a prefix of the bucket. PermissionDenied (after the wait of GcsAccess), NotFound (no such
// bucket) or Cancelled. OK after any other error, because such an error proves nothing. Does not
// retry other errors.
absl::Status ProbeWrite(GcsClient& client, const GcsName& name, const Activity& activity);

// FailedPrecondition, with the reason, if a hold or a retention policy protects the present object.
// Cancelled with `activity`, otherwise OK. Does not retry.
absl::Status ProbeReplace(GcsClient& client, const GcsName& name, const Activity& activity);

}  // namespace sparkles
