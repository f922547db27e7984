// The two ways in which bytes become an object of Cloud Storage. Both replace what is there, send
// again what may be lost, and return only when the server has acknowledged size and checksum.
#pragma once

#include "absl/status/statusor.h"
#include "gcp/gcs_client.h"
#include "gcp/gcs_object.h"
#include "gcp/gcs_source.h"

namespace sparkles {

// Uploads small content in one request (three if there is an object to replace). Each attempt sends
// the whole content. Errors are those of `content`; NotFound if there is no such bucket;
// Unavailable if other clients keep writing this object. Machine faults are DataLoss if the server
// keeps storing other bytes, and Unavailable if no attempt succeeds in time or proxies keep
// answering.
absl::StatusOr<GcsObject> UploadAtOnce(GcsClient& client, const GcsName& name,
                                       const GcsContent& content, const Activity& activity);

// In an upload session, which goes on where it broke off: for what is large, and not empty. The
// same errors. Content up to `hash_first_bytes` is read once more beforehand, so that the server
// can refuse what does not arrive right; for what is longer that would cost too much, and the
// comparison comes after the old object was replaced.
absl::StatusOr<GcsObject> UploadResumably(GcsClient& client, const GcsName& name,
                                          const GcsContent& content, const Activity& activity,
                                          uint64_t hash_first_bytes = uint64_t{64} << 20);

}  // namespace sparkles
