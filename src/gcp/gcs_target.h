// Handles the object that an upload makes or replaces.
// Each attempt names the generation that it replaces, so that the server applies one attempt at
// most. If the object has changed, size and checksum tell whether an earlier attempt was applied.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gcp/gcs_client.h"
#include "gcp/gcs_object.h"
#include "gcp/gcs_source.h"

namespace sparkles {

// Serves one upload. Not thread-safe.
class GcsTarget {
 public:
  // Borrows all.
  GcsTarget(GcsClient& client, const GcsName& name, const GcsContent& content,
            const Activity& activity)
      : client_(client),
        name_(name),
        content_(content),
        activity_(activity),
        expected_(content.known_generation) {}

  // The generation that the next attempt replaces; 0 if no object is known.
  int64_t expected() const { return expected_; }
  // The uploaded object. Valid after AlreadyHasContent has returned true or CheckStored has
  // returned OK.
  const GcsObject& stored() const { return stored_; }

  // Looks up the object, whose generation the next attempt replaces. True if the object has the
  // content of `source`, so that the upload is complete. Otherwise an error of
  // GcsContent::before_replacing is returned.
  absl::StatusOr<bool> AlreadyHasContent(GcsSource& source);

  // Checks the object after a successful upload. `json` is the server's description of the object.
  // Unavailable and retryable if `json` is not readable. DataLoss if the object has other content.
  // Then the object is removed if possible; the first two such errors are retryable, the third is a
  // machine fault.
  absl::Status CheckStored(absl::string_view json, GcsSource& source);

  // Returns `error`, the error of an attempt. If the server has found a wrong checksum, returns
  // DataLoss like CheckStored.
  absl::Status ClassifyError(const absl::Status& error);

  // Explains the final status of the upload. `occupied`: the server has reported an existing
  // object. Then a refusal names the missing permission and is marked by MarkObjectProtected
  // (base/permission.h).
  absl::Status ExplainFinalStatus(const absl::Status& end, bool occupied) const;

 private:
  absl::Status CountCorruption(const absl::Status& why);
  absl::Status ConfirmReplacement() const;

  GcsClient& client_;
  const GcsName& name_;
  const GcsContent& content_;
  const Activity& activity_;
  int64_t expected_;
  GcsObject stored_;
  int corruptions_ = 0;
};

}  // namespace sparkles
