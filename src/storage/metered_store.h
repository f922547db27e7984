// Wraps a store: counts the bytes that move and the transfers that fail.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/worker_metrics.h"
#include "storage/object_store.h"

namespace sparkles {

// Thread-safe if its store is. Bytes that are transferred again are not counted again. The start
// and the end of each call are signs of life.
class MeteredStore : public ObjectStore {
 public:
  // Borrows both.
  MeteredStore(ObjectStore& store, WorkerMetrics& metrics) : store_(store), metrics_(metrics) {}

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
  absl::Status Flush() override;

 private:
  template <typename Result>
  Result CountEnd(Result result);

  ObjectStore& store_;
  WorkerMetrics& metrics_;
};

}  // namespace sparkles
