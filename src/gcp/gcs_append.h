// Joins an object and a part to one object of Cloud Storage, without moving their bytes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/activity.h"
#include "gcp/gcs_client.h"
#include "gcp/gcs_object.h"

namespace sparkles {

// An object and its name.
struct GcsPart {
  GcsName name;
  GcsObject object;
};

// Appends the content of `part`, which must be in the same bucket, to the version `head` of the
// object `name`. Returns the new version, which has the content type `type`. The request names the
// generation of all three objects, so that the server joins them once at most. If the answer was
// lost, size and checksum show whether the request was applied. Errors: FailedPrecondition if the
// object or the part has another generation, or is gone, and nothing has changed; DataLoss if the
// server has joined other bytes; those of GcsClient::Retry.
absl::StatusOr<GcsObject> AppendPart(GcsClient& client, const GcsName& name, const GcsObject& head,
                                     const GcsPart& part, const std::string& type,
                                     const Activity& activity);

}  // namespace sparkles
