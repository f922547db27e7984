// Lists the objects of a directory in Cloud Storage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/activity.h"
#include "gcp/gcs_client.h"
#include "gcp/gcs_object.h"

namespace sparkles {

struct GcsEntry {
  std::string name;        // without the directory
  int64_t generation = 0;  // greater than 0
};

// The objects whose names are `directory`, a slash, and a name without a slash; at most `max`. Each
// page is retried. A refusal is not retried.
absl::StatusOr<std::vector<GcsEntry>> ListDirectory(GcsClient& client, const GcsName& directory,
                                                    size_t max, const Activity& activity);

}  // namespace sparkles
