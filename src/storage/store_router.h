// Passes each call to the store of the URL's scheme.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/object_store.h"

namespace sparkles {

// Thread-safe if its stores are.
class StoreRouter : public ObjectStore {
 public:
  // Borrows both. If `gs_store` is null, gs:// URLs give Unimplemented.
  StoreRouter(ObjectStore& file_store, ObjectStore* gs_store)
      : file_store_(file_store), gs_store_(gs_store) {}

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
  // Flushes all stores, even if the first fails, and returns the first error.
  absl::Status Flush() override;

 private:
  // Never null on success.
  absl::StatusOr<ObjectStore*> StoreOf(absl::string_view url) const;

  ObjectStore& file_store_;
  ObjectStore* const gs_store_;
};

}  // namespace sparkles
