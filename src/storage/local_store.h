// Stores objects as local files (file:// URLs): the object /a/b is the file /a/b.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "storage/object_store.h"
#include "storage/sync_backlog.h"

namespace sparkles {

// Thread-safe. An uploaded file is whole or absent. Its mode is 0666 less umask, with the execute
// bits of the source. Makes missing parent directories. Generations are 0.
class LocalStore : public ObjectStore {
 public:
  // Without `durable`, Flush does nothing, and uploads may not survive a power cut. Borrows
  // `heartbeat`, which may be null. It beats during a long Flush.
  explicit LocalStore(bool durable = true, Heartbeat* heartbeat = nullptr)
      : durable_(durable), backlog_(heartbeat) {}

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
  // No check: creating the file shows whether it is allowed.
  absl::Status CheckWritable(const std::string&, bool, const Activity&) override {
    return absl::OkStatus();
  }
  absl::Status Remove(const std::string& url, int64_t generation,
                      const Activity& activity) override;
  absl::StatusOr<std::vector<ListedObject>> List(const std::string& url, size_t max,
                                                 const Activity& activity) override;
  absl::Status Flush() override;

 private:
  // The caller writes the content between Begin and Finish.
  absl::StatusOr<AtomicFile> Begin(const std::string& path, mode_t mode);
  absl::Status Finish(AtomicFile& file);
  absl::Status MakeParents(const std::string& path);

  const bool durable_;
  SyncBacklog backlog_;
};

}  // namespace sparkles
