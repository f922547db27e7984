// Joins an object and a part to one object of Cloud Storage, without moving their bytes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/activity.h"
#include "gcp/gcs_client.h"
#include "gcp/gcs_object.h"

namespace sparkles {

// An object and its place.
struct GcsPart {
  GcsName name;
  GcsObject object;
};

// Appends the content of `part`, which is in the same bucket, to the object `name`, which is
// `head`. Returns the new version of the object `name`, which has the content type `type`. Names
// the generation of all three objects, so that the server joins them once at most; if the answer
// was lost, size and checksum tell. Errors: FailedPrecondition if the object or the part has
// another generation, or is gone, and nothing has changed; DataLoss if the server has joined other
// bytes; those of GcsClient::Retry.
absl::StatusOr<GcsObject> AppendPart(GcsClient& client, const GcsName& name, const GcsObject& head,
                                     const GcsPart& part, const std::string& type,
                                     const Activity& activity);

}  // namespace sparkles
