// Uploads an object to Cloud Storage in one request or in an upload session.
// Both functions replace an existing object, retry, and return when the server has acknowledged
// size and checksum.
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

// Uploads large content, which must not be empty, in an upload session. After a break, the session
// continues with the bytes that the server lacks. Errors are those of UploadAtOnce. Reads content
// of at most `hash_first_bytes` once before the upload, so that the server gets the checksum first
// and refuses corrupted content. For longer content this would take too long. Then the checksum is
// compared after the old object was replaced.
absl::StatusOr<GcsObject> UploadResumably(GcsClient& client, const GcsName& name,
                                          const GcsContent& content, const Activity& activity,
                                          uint64_t hash_first_bytes = uint64_t{64} << 20);

}  // namespace sparkles
