#include "storage/metered_store.h"

namespace sparkles {
namespace {

absl::Status StatusOf(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace

TransferOptions MeteredStore::Metered(const TransferOptions& options, Counter& bytes) {
  vitals_.heartbeat.Beat();
  TransferOptions metered = options;
  metered.on_bytes = [this, &bytes, inner = options.on_bytes](uint64_t moved) {
    if (moved > 0) {
      vitals_.heartbeat.Beat();
      bytes.Add(moved);
    }
    if (inner) inner(moved);
  };
  metered.alive = [this, inner = options.alive] {
    vitals_.heartbeat.Beat();
    if (inner) inner();
  };
  return metered;
}

template <typename Result>
Result MeteredStore::CountEnd(Result result) {
  vitals_.heartbeat.Beat();
  const absl::Status status = StatusOf(result);
  if (!status.ok() && !absl::IsCancelled(status)) vitals_.transfers_failed.Add();
  return result;
}

absl::StatusOr<ObjectInfo> MeteredStore::Download(const std::string& url, int fd,
                                                  const TransferOptions& options) {
  return CountEnd(store_.Download(url, fd, Metered(options, vitals_.bytes_downloaded)));
}

absl::StatusOr<ObjectInfo> MeteredStore::Upload(int fd, const std::string& url,
                                                const TransferOptions& options) {
  return CountEnd(store_.Upload(fd, url, Metered(options, vitals_.bytes_uploaded)));
}

absl::StatusOr<ObjectInfo> MeteredStore::UploadBytes(absl::string_view bytes,
                                                     const std::string& url,
                                                     const TransferOptions& options) {
  return CountEnd(store_.UploadBytes(bytes, url, Metered(options, vitals_.bytes_uploaded)));
}

absl::StatusOr<std::optional<std::string>> MeteredStore::ReadBytes(const std::string& url,
                                                                   size_t max_bytes,
                                                                   const TransferOptions& options) {
  return CountEnd(store_.ReadBytes(url, max_bytes, Metered(options, vitals_.bytes_downloaded)));
}

absl::Status MeteredStore::CheckWritable(const std::string& url, bool replace,
                                         const TransferOptions& options) {
  vitals_.heartbeat.Beat();
  return CountEnd(store_.CheckWritable(url, replace, options));
}

absl::Status MeteredStore::Flush() {
  vitals_.heartbeat.Beat();
  return CountEnd(store_.Flush());
}

}  // namespace sparkles
