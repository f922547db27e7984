// The object that an upload makes or replaces.
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

// Not thread-safe; for one upload.
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

  // What the next attempt replaces; 0: there must be nothing. So far as we know.
  int64_t expected() const { return expected_; }
  // The object in its place; valid once Holds said true or Accept was ok.
  const GcsObject& stored() const { return stored_; }

  // Looks at what is there now: that is what we replace from here on. True if it is the content of
  // `source` already, and the upload thus done. An error if GcsContent::before_replacing objects.
  absl::StatusOr<bool> Holds(GcsSource& source);

  // The server says that the upload is done; `json` describes the object. Errors: Unavailable,
  // worth another try, if that is not readable (it may be done all the same); DataLoss if the
  // object is not what was sent: it is then removed again, if possible, and that is worth another
  // try twice, then a machine fault.
  absl::Status Accept(absl::string_view json, GcsSource& source);

  // The error of an attempt; DataLoss, as above, if the server found the checksum wrong.
  absl::Status Judge(const absl::Status& error);

  // Explains the final status of the upload. `occupied`: the server has said that an object is
  // there. Then a refusal names the missing permission, and is marked by MarkOldObjectKept
  // (base/permission.h).
  absl::Status ExplainEnd(const absl::Status& end, bool occupied) const;

 private:
  absl::Status Wrong(const absl::Status& why);
  absl::Status MayReplace() const;

  GcsClient& client_;
  const GcsName& name_;
  const GcsContent& content_;
  const Activity& activity_;
  int64_t expected_;
  GcsObject stored_;
  int wrong_ = 0;
};

}  // namespace sparkles
