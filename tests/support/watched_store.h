// A store that reports the end of every call, so that a test can act between calls.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "storage/object_store.h"

namespace sparkles {

// Thread-safe if the watcher is.
class WatchedStore : public ObjectStore {
 public:
  // Called after each call, successful or not, with "download URL", "upload URL" (also for bytes),
  // "append URL", "remove URL", "read URL", "list URL" or "flush".
  using Watcher = std::function<void(const std::string& call)>;

  // Borrows `store`.
  WatchedStore(ObjectStore& store, Watcher watcher) : store_(store), watcher_(std::move(watcher)) {}

  absl::StatusOr<ObjectInfo> Download(const std::string& url, int fd,
                                      const Activity& activity) override {
    return Report("download " + url, store_.Download(url, fd, activity));
  }
  absl::StatusOr<ObjectInfo> Upload(int fd, const std::string& url, const UploadOptions& options,
                                    const Activity& activity) override {
    return Report("upload " + url, store_.Upload(fd, url, options, activity));
  }
  absl::StatusOr<ObjectInfo> UploadBytes(absl::string_view bytes, const std::string& url,
                                         const UploadOptions& options,
                                         const Activity& activity) override {
    return Report("upload " + url, store_.UploadBytes(bytes, url, options, activity));
  }
  absl::StatusOr<ObjectInfo> Append(int fd, uint64_t size, const std::string& url,
                                    const ObjectInfo& object, const UploadOptions& options,
                                    const Activity& activity) override {
    return Report("append " + url, store_.Append(fd, size, url, object, options, activity));
  }
  absl::StatusOr<std::optional<std::string>> ReadBytes(const std::string& url, size_t max_bytes,
                                                       const Activity& activity,
                                                       int64_t* generation = nullptr) override {
    return Report("read " + url, store_.ReadBytes(url, max_bytes, activity, generation));
  }
  absl::Status CheckWritable(const std::string& url, bool replace,
                             const Activity& activity) override {
    return store_.CheckWritable(url, replace, activity);
  }
  absl::Status Remove(const std::string& url, int64_t generation,
                      const Activity& activity) override {
    return Report("remove " + url, store_.Remove(url, generation, activity));
  }
  absl::StatusOr<std::vector<ListedObject>> List(const std::string& url, size_t max,
                                                 const Activity& activity) override {
    return Report("list " + url, store_.List(url, max, activity));
  }
  absl::Status Flush() override { return Report("flush", store_.Flush()); }

 private:
  template <typename Result>
  Result Report(const std::string& call, Result result) {
    watcher_(call);
    return result;
  }

  ObjectStore& store_;
  const Watcher watcher_;
};

}  // namespace sparkles
