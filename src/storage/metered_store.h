// Wraps a store: bytes that move are signs of life and are counted.
#pragma once

#include <optional>
#include <string>

#include "base/vitals.h"
#include "storage/object_store.h"

namespace sparkles {

// Thread-safe if its store is. A transfer in which nothing moves gives no sign of life, although
// TransferOptions::on_bytes is called with 0; one that repeats what was lost gives some, by
// TransferOptions::alive, but counts nothing twice.
class MeteredStore : public ObjectStore {
 public:
  // Borrows both.
  MeteredStore(ObjectStore& store, Vitals& vitals) : store_(store), vitals_(vitals) {}

  absl::StatusOr<ObjectInfo> Download(const std::string& url, int fd,
                                      const TransferOptions& options) override;
  absl::StatusOr<ObjectInfo> Upload(int fd, const std::string& url,
                                    const TransferOptions& options) override;
  absl::StatusOr<ObjectInfo> UploadBytes(absl::string_view bytes, const std::string& url,
                                         const TransferOptions& options) override;
  absl::StatusOr<std::optional<std::string>> ReadBytes(const std::string& url, size_t max_bytes,
                                                       const TransferOptions& options) override;
  absl::Status CheckWritable(const std::string& url, bool replace,
                             const TransferOptions& options) override;
  absl::Status Flush() override;

 private:
  TransferOptions Metered(const TransferOptions& options, Counter& bytes);
  template <typename Result>
  Result CountEnd(Result result);

  ObjectStore& store_;
  Vitals& vitals_;
};

}  // namespace sparkles
