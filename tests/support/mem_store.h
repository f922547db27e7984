// A store in memory for every URL with a path: "scheme://bucket/name".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "storage/object_store.h"

namespace sparkles {

// Thread-safe. Each URL has generations 1, 2, 3 and so on.
class MemStore : public ObjectStore {
 public:
  // Access for tests.
  void Put(const std::string& url, absl::string_view content);
  std::optional<std::string> Get(const std::string& url) const;
  int64_t GenerationOf(const std::string& url) const;  // 0 if there is none
  // All URLs, sorted.
  std::vector<std::string> Urls() const;
  int downloads() const;

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
  absl::Status CheckWritable(const std::string&, bool, const Activity&) override {
    return absl::OkStatus();
  }
  absl::Status Remove(const std::string& url, int64_t generation,
                      const Activity& activity) override;
  absl::StatusOr<std::vector<ListedObject>> List(const std::string& url, size_t max,
                                                 const Activity& activity) override;
  absl::Status Flush() override { return absl::OkStatus(); }

 private:
  struct Object {
    std::string content;
    int64_t generation = 0;
  };

  mutable Mutex mutex_;
  std::map<std::string, Object> objects_ ABSL_GUARDED_BY(mutex_);
  int downloads_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sparkles
