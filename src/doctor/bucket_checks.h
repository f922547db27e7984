// Checks the permissions on a bucket, and on request writes, reads and removes an object.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/cancel.h"
#include "doctor/finding.h"
#include "gcp/gcs_client.h"
#include "storage/object_store.h"

namespace sparkles {

struct BucketTarget {
  std::string bucket;
  std::string prefix;  // empty, or ends with a slash
};

// Parses the flag --bucket: "NAME", "gs://NAME" or "gs://NAME/PREFIX". InvalidArgument if the value
// has another form.
absl::StatusOr<BucketTarget> ParseBucket(const std::string& flag);

// "gs://NAME/PREFIX".
std::string BucketUrl(const BucketTarget& target);

// Asks Cloud Storage what the account may do. Changes nothing.
void CheckBucket(GcsClient& client, const BucketTarget& target, const CancelToken& cancel,
                 Findings& findings);

// Writes an object with a new name below the prefix, reads and compares it, and always removes it,
// also after `cancel` is cancelled. Writes nothing if the account may not remove objects.
void CheckBucketWrite(GcsClient& client, ObjectStore& store, const BucketTarget& target,
                      const CancelToken& cancel, Findings& findings);

}  // namespace sparkles
