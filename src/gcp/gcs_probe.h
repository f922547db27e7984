// Asks Cloud Storage whether an upload would be refused. Makes and changes no object.
#pragma once

#include "absl/status/status.h"
#include "gcp/gcs_client.h"
#include "gcp/gcs_object.h"

namespace sparkles {

// Starts an upload session for `name` and cancels it. testIamPermissions answers for the whole
// bucket and would miss a grant for a prefix. PermissionDenied (after the wait of GcsAccess),
// NotFound (no such bucket) or Cancelled; any other error proves nothing and is OK. One attempt.
absl::Status ProbeWrite(GcsClient& client, const GcsName& name, const Activity& activity);

// FailedPrecondition, with the reason, if a hold or a retention policy keeps the present object;
// Cancelled; else OK. One attempt.
absl::Status ProbeReplace(GcsClient& client, const GcsName& name, const Activity& activity);

}  // namespace sparkles
