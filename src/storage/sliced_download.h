// Downloads one large object over several connections into one file.
// Each slice is written at its offset and has its own checksum. The checksum of the object is
// computed from the checksums of its slices, without reading the bytes again.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/activity.h"
#include "base/cancel.h"
#include "base/mutex.h"
#include "gcp/gcs_client.h"
#include "gcp/gcs_reader.h"

namespace sparkles {

// Downloads once. Not thread-safe.
class SlicedDownload {
 public:
  // Borrows all. `version` must have a size above 0 and a generation.
  SlicedDownload(GcsClient& client, const GcsName& name, const GcsVersion& version,
                 const Activity& activity, int fd)
      : client_(client),
        name_(name),
        version_(version),
        fd_(fd),
        stop_(&activity.cancel()),
        activity_(activity, stop_) {}

  // Downloads in `slices` slices. Returns the checksum of all bytes. The first error stops the
  // other slices and is returned.
  absl::StatusOr<uint32_t> Run(int slices);

 private:
  absl::StatusOr<uint32_t> ReadSlice(uint64_t first, uint64_t end);
  void Fail(const absl::Status& status);

  GcsClient& client_;
  const GcsName& name_;
  const GcsVersion& version_;
  const int fd_;
  CancelToken stop_;
  const Activity activity_;  // of the slices; stop_ ends it

  Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);  // the first error
};

}  // namespace sparkles
