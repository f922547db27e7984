// A store that fails on demand and otherwise does what the store behind it does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "storage/object_store.h"

namespace sparkles {

enum class StoreMethod { kDownload, kUpload, kUploadBytes, kReadBytes, kCheckWritable, kFlush };

struct StoreFault {
  StoreMethod method = StoreMethod::kDownload;
  std::string url_part = {};  // only calls whose URL contains this; empty: all
  int skip = 0;               // so many matching calls do not fail
  int times = 1'000'000;      // and then so many do
  absl::Status status = {};   // what they return
  // kDownload: the call first writes the object, cut to so many bytes. With an ok `status` it then
  // reports success: a store that lies.
  std::optional<uint64_t> cut_to_bytes = {};
};

// Thread-safe.
class FailingStore : public ObjectStore {
 public:
  // Borrows `store`.
  explicit FailingStore(ObjectStore& store) : store_(store) {}

  void Add(StoreFault fault);
  void RemoveFaults();
  // From now on uploads share this many bytes; one that needs more is a machine fault, as on a full
  // disk, and stores nothing.
  void SetQuota(uint64_t bytes);

  absl::StatusOr<ObjectInfo> Download(const std::string& url, int fd,
                                      const Activity& activity) override;
  absl::StatusOr<ObjectInfo> Upload(int fd, const std::string& url, const UploadOptions& options,
                                    const Activity& activity) override;
  absl::StatusOr<ObjectInfo> UploadBytes(absl::string_view bytes, const std::string& url,
                                         const UploadOptions& options,
                                         const Activity& activity) override;
  absl::StatusOr<std::optional<std::string>> ReadBytes(const std::string& url, size_t max_bytes,
                                                       const Activity& activity) override;
  absl::Status CheckWritable(const std::string& url, bool replace,
                             const Activity& activity) override;
  absl::Status Flush() override;

 private:
  // The fault that hits this call.
  std::optional<StoreFault> NextFault(StoreMethod method, const std::string& url);
  absl::Status StatusOfNextFault(StoreMethod method, const std::string& url);
  absl::Status TakeQuota(uint64_t bytes, const std::string& url);

  ObjectStore& store_;
  Mutex mutex_;
  std::vector<StoreFault> faults_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> quota_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
