#include "storage/metered_store.h"

namespace sparkles {
namespace {

absl::Status StatusOf(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

Activity::Listener AddTo(Counter& counter) {
  return [&counter](uint64_t bytes) { counter.Add(bytes); };
}

}  // namespace

template <typename Result>
Result MeteredStore::CountEnd(Result result) {
  metrics_.heartbeat.Beat();
  const absl::Status status = StatusOf(result);
  if (!status.ok() && !absl::IsCancelled(status)) metrics_.transfers_failed.Add();
  return result;
}

absl::StatusOr<ObjectInfo> MeteredStore::Download(const std::string& url, int fd,
                                                  const Activity& activity) {
  metrics_.heartbeat.Beat();
  return CountEnd(store_.Download(url, fd, Activity(activity, AddTo(metrics_.bytes_downloaded))));
}

absl::StatusOr<ObjectInfo> MeteredStore::Upload(int fd, const std::string& url,
                                                const UploadOptions& options,
                                                const Activity& activity) {
  metrics_.heartbeat.Beat();
  return CountEnd(
      store_.Upload(fd, url, options, Activity(activity, AddTo(metrics_.bytes_uploaded))));
}

absl::StatusOr<ObjectInfo> MeteredStore::UploadBytes(absl::string_view bytes,
                                                     const std::string& url,
                                                     const UploadOptions& options,
                                                     const Activity& activity) {
  metrics_.heartbeat.Beat();
  return CountEnd(
      store_.UploadBytes(bytes, url, options, Activity(activity, AddTo(metrics_.bytes_uploaded))));
}

absl::StatusOr<ObjectInfo> MeteredStore::Append(int fd, uint64_t size, const std::string& url,
                                                const ObjectInfo& object,
                                                const UploadOptions& options,
                                                const Activity& activity) {
  metrics_.heartbeat.Beat();
  auto appended = CountEnd(store_.Append(fd, size, url, object, options,
                                         Activity(activity, AddTo(metrics_.bytes_uploaded))));
  if (appended.ok()) (object.size == 0 ? metrics_.logs_sent_whole : metrics_.log_parts_sent).Add();
  return appended;
}

absl::StatusOr<std::optional<std::string>> MeteredStore::ReadBytes(const std::string& url,
                                                                   size_t max_bytes,
                                                                   const Activity& activity,
                                                                   int64_t* generation) {
  metrics_.heartbeat.Beat();
  return CountEnd(store_.ReadBytes(
      url, max_bytes, Activity(activity, AddTo(metrics_.bytes_downloaded)), generation));
}

absl::Status MeteredStore::CheckWritable(const std::string& url, bool replace,
                                         const Activity& activity) {
  metrics_.heartbeat.Beat();
  return CountEnd(store_.CheckWritable(url, replace, activity));
}

absl::Status MeteredStore::Remove(const std::string& url, int64_t generation,
                                  const Activity& activity) {
  metrics_.heartbeat.Beat();
  return CountEnd(store_.Remove(url, generation, activity));
}

absl::StatusOr<std::vector<ListedObject>> MeteredStore::List(const std::string& url, size_t max,
                                                             const Activity& activity) {
  metrics_.heartbeat.Beat();
  return CountEnd(store_.List(url, max, activity));
}

absl::Status MeteredStore::Flush() {
  metrics_.heartbeat.Beat();
  return CountEnd(store_.Flush());
}

}  // namespace sparkles
