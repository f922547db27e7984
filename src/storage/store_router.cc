#include "storage/store_router.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file_url.h"
#include "base/status.h"

namespace sparkles {

absl::StatusOr<ObjectStore*> StoreRouter::StoreOf(absl::string_view url) const {
  if (absl::StartsWith(url, kFileScheme)) return &file_store_;
  if (!absl::StartsWith(url, "gs://")) {
    return absl::InvalidArgumentError(absl::StrCat(url, ": not a file:// or gs:// URL"));
  }
  if (gs_store_ == nullptr) {
    return absl::UnimplementedError(absl::StrCat(url, ": this command reads no Cloud Storage"));
  }
  return gs_store_;
}

absl::StatusOr<ObjectInfo> StoreRouter::Download(const std::string& url, int fd,
                                                 const Activity& activity) {
  ASSIGN_OR_RETURN(ObjectStore* const store, StoreOf(url));
  return store->Download(url, fd, activity);
}

absl::StatusOr<ObjectInfo> StoreRouter::Upload(int fd, const std::string& url,
                                               const UploadOptions& options,
                                               const Activity& activity) {
  ASSIGN_OR_RETURN(ObjectStore* const store, StoreOf(url));
  return store->Upload(fd, url, options, activity);
}

absl::StatusOr<ObjectInfo> StoreRouter::UploadBytes(absl::string_view bytes, const std::string& url,
                                                    const UploadOptions& options,
                                                    const Activity& activity) {
  ASSIGN_OR_RETURN(ObjectStore* const store, StoreOf(url));
  return store->UploadBytes(bytes, url, options, activity);
}

absl::StatusOr<ObjectInfo> StoreRouter::Append(int fd, uint64_t size, const std::string& url,
                                               const ObjectInfo& object,
                                               const UploadOptions& options,
                                               const Activity& activity) {
  ASSIGN_OR_RETURN(ObjectStore* const store, StoreOf(url));
  return store->Append(fd, size, url, object, options, activity);
}

absl::StatusOr<std::optional<std::string>> StoreRouter::ReadBytes(const std::string& url,
                                                                  size_t max_bytes,
                                                                  const Activity& activity,
                                                                  int64_t* generation) {
  ASSIGN_OR_RETURN(ObjectStore* const store, StoreOf(url));
  return store->ReadBytes(url, max_bytes, activity, generation);
}

absl::Status StoreRouter::CheckWritable(const std::string& url, bool replace,
                                        const Activity& activity) {
  ASSIGN_OR_RETURN(ObjectStore* const store, StoreOf(url));
  return store->CheckWritable(url, replace, activity);
}

absl::Status StoreRouter::Remove(const std::string& url, int64_t generation,
                                 const Activity& activity) {
  ASSIGN_OR_RETURN(ObjectStore* const store, StoreOf(url));
  return store->Remove(url, generation, activity);
}

absl::StatusOr<std::vector<ListedObject>> StoreRouter::List(const std::string& url, size_t max,
                                                            const Activity& activity) {
  ASSIGN_OR_RETURN(ObjectStore* const store, StoreOf(url));
  return store->List(url, max, activity);
}

absl::Status StoreRouter::Flush() {
  absl::Status status = file_store_.Flush();
  if (gs_store_ != nullptr) status.Update(gs_store_->Flush());
  return status;
}

}  // namespace sparkles
