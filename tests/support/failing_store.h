// A store that fails on demand, and otherwise passes calls to another store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "storage/object_store.h"

namespace sparkles {

enum class StoreMethod {
  kDownload,
  kUpload,
  kUploadBytes,
  kAppend,
  kReadBytes,
  kCheckWritable,
  kRemove,
  kList,
  kFlush
};

struct StoreFault {
  StoreMethod method = StoreMethod::kDownload;
  std::string url_part = {};  // only for calls whose URL contains this; empty: all calls
  int skip = 0;               // number of matching calls that succeed first
  int times = 1'000'000;      // number of calls that fail after that
  absl::Status status = {};   // the result of these calls
  // kDownload: the call first writes the object, cut to this many bytes. With an ok `status` the
  // call then reports success, although the object is incomplete.
  std::optional<uint64_t> cut_to_bytes = {};
  bool applied = false;  // kAppend: the other store carries out the call, but its result is lost
};

// Thread-safe.
class FailingStore : public ObjectStore {
 public:
  // Borrows `store`.
  explicit FailingStore(ObjectStore& store) : store_(store) {}

  void Add(StoreFault fault);
  void RemoveFaults();
  // Limits the bytes of all later uploads together. An upload that needs more is a machine fault,
  // as on a full disk, and stores nothing.
  void SetQuota(uint64_t bytes);

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
  // The fault for this call; nullopt if there is none.
  std::optional<StoreFault> NextFault(StoreMethod method, const std::string& url);
  absl::Status StatusOfNextFault(StoreMethod method, const std::string& url);
  absl::Status TakeQuota(uint64_t bytes, const std::string& url);

  ObjectStore& store_;
  Mutex mutex_;
  std::vector<StoreFault> faults_ ABSL_GUARDED_BY(mutex_);
  std::optional<uint64_t> quota_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sparkles
