// Stores objects in Cloud Storage (gs:// URLs).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gcp/gcs_client.h"
#include "gcp/gcs_object.h"
#include "gcp/gcs_reader.h"
#include "gcp/gcs_source.h"
#include "storage/object_store.h"
#include "storage/transfer_slots.h"

namespace sparkles {

// The sizes are similar to those of Google's own tools.
struct GcsStoreOptions {
  int connections = 32;  // of all transfers together
  // Longer content is uploaded in a session, which needs three more requests.
  uint64_t upload_at_once_bytes = uint64_t{8} << 20;
  // Longer objects are downloaded in slices if connections are free.
  uint64_t slice_from_bytes = uint64_t{64} << 20;
  uint64_t min_slice_bytes = uint64_t{8} << 20;
  int max_slices = 8;
};

// Thread-safe. Does not compress or decompress objects. Memory does not grow with their size.
class GcsStore : public ObjectStore {
 public:
  // Borrows `client`.
  explicit GcsStore(GcsClient& client, const GcsStoreOptions& options = {});

  absl::StatusOr<ObjectInfo> Download(const std::string& url, int fd,
                                      const Activity& activity) override;
  absl::StatusOr<ObjectInfo> Upload(int fd, const std::string& url, const UploadOptions& options,
                                    const Activity& activity) override;
  absl::StatusOr<ObjectInfo> UploadBytes(absl::string_view bytes, const std::string& url,
                                         const UploadOptions& options,
                                         const Activity& activity) override;
  absl::StatusOr<ObjectInfo> Append(int fd, uint64_t size, const std::string& url,
                                    const ObjectInfo& object, const UploadOptions& options,
                                    const Activity& activity) override;
  absl::StatusOr<std::optional<std::string>> ReadBytes(const std::string& url, size_t max_bytes,
                                                       const Activity& activity,
                                                       int64_t* generation = nullptr) override;
  absl::Status CheckWritable(const std::string& url, bool replace,
                             const Activity& activity) override;
  absl::Status Remove(const std::string& url, int64_t generation,
                      const Activity& activity) override;
  absl::StatusOr<std::vector<ListedObject>> List(const std::string& url, size_t max,
                                                 const Activity& activity) override;
  // Does nothing: what Cloud Storage has acknowledged is safe.
  absl::Status Flush() override { return absl::OkStatus(); }

 private:
  // The version of a download in slices, and the slots of all slices except the first.
  struct SlicePlan {
    GcsVersion version;
    TransferSlots::Lease more;
  };

  absl::StatusOr<GcsObject> Send(const GcsName& name, const GcsContent& content,
                                 const Activity& activity);
  std::optional<SlicePlan> PlanSlices(const GcsVersion& version);
  absl::StatusOr<GcsObject> DownloadTo(int fd, const GcsName& name, const Activity& activity);
  absl::StatusOr<GcsObject> DownloadSliced(int fd, const GcsName& name, const SlicePlan& plan,
                                           const Activity& activity);

  GcsClient& client_;
  const GcsStoreOptions options_;
  TransferSlots slots_;
};

}  // namespace sparkles
