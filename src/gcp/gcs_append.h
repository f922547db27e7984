// Appends a part to an object in Cloud Storage, without a transfer of their content.
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
// generations of both objects, so that the server joins them at most once. If the answer is lost,
// size and checksum show whether the request was applied. Errors: FailedPrecondition if the
// object or the part has another generation, or is gone (then nothing has changed); DataLoss if the
// server has joined other bytes; the errors of GcsClient::Retry.
absl::StatusOr<GcsObject> AppendPart(GcsClient& client, const GcsName& name, const GcsObject& head,
                                     const GcsPart& part, const std::string& type,
                                     const Activity& activity);

}  // namespace sparkles
