#include "tests/support/failing_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "base/status.h"

namespace sparkles {

void FailingStore::Add(StoreFault fault) {
  MutexLock lock(mutex_);
  faults_.push_back(std::move(fault));
}

void FailingStore::RemoveFaults() {
  MutexLock lock(mutex_);
  faults_.clear();
  quota_.reset();
}

void FailingStore::SetQuota(uint64_t bytes) {
  MutexLock lock(mutex_);
  quota_ = bytes;
}

absl::StatusOr<ObjectInfo> FailingStore::Download(const std::string& url, int fd,
                                                  const Activity& activity) {
  const std::optional<StoreFault> fault = NextFault(StoreMethod::kDownload, url);
  if (!fault.has_value()) return store_.Download(url, fd, activity);
  if (!fault->cut_to_bytes.has_value()) return fault->status;
  ASSIGN_OR_RETURN(ObjectInfo info, store_.Download(url, fd, activity));
  if (ftruncate(fd, static_cast<off_t>(*fault->cut_to_bytes)) != 0) return ErrnoError(errno, url);
  RETURN_IF_ERROR(fault->status);
  return info;
}

absl::StatusOr<ObjectInfo> FailingStore::Upload(int fd, const std::string& url,
                                                const UploadOptions& options,
                                                const Activity& activity) {
  RETURN_IF_ERROR(StatusOfNextFault(StoreMethod::kUpload, url));
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoError(errno, url);
  RETURN_IF_ERROR(TakeQuota(static_cast<uint64_t>(info.st_size), url));
  return store_.Upload(fd, url, options, activity);
}

absl::StatusOr<ObjectInfo> FailingStore::UploadBytes(absl::string_view bytes,
                                                     const std::string& url,
                                                     const UploadOptions& options,
                                                     const Activity& activity) {
  RETURN_IF_ERROR(StatusOfNextFault(StoreMethod::kUploadBytes, url));
  RETURN_IF_ERROR(TakeQuota(bytes.size(), url));
  return store_.UploadBytes(bytes, url, options, activity);
}

absl::StatusOr<ObjectInfo> FailingStore::Append(int fd, uint64_t size, const std::string& url,
                                                const ObjectInfo& object,
                                                const UploadOptions& options,
                                                const Activity& activity) {
  const std::optional<StoreFault> fault = NextFault(StoreMethod::kAppend, url);
  if (fault.has_value() && !fault->applied) return fault->status;
  auto appended = store_.Append(fd, size, url, object, options, activity);
  if (fault.has_value()) return fault->status;
  return appended;
}

absl::StatusOr<std::optional<std::string>> FailingStore::ReadBytes(const std::string& url,
                                                                   size_t max_bytes,
                                                                   const Activity& activity,
                                                                   int64_t* generation) {
  RETURN_IF_ERROR(StatusOfNextFault(StoreMethod::kReadBytes, url));
  return store_.ReadBytes(url, max_bytes, activity, generation);
}

absl::Status FailingStore::CheckWritable(const std::string& url, bool replace,
                                         const Activity& activity) {
  RETURN_IF_ERROR(StatusOfNextFault(StoreMethod::kCheckWritable, url));
  return store_.CheckWritable(url, replace, activity);
}

absl::Status FailingStore::Remove(const std::string& url, int64_t generation,
                                  const Activity& activity) {
  RETURN_IF_ERROR(StatusOfNextFault(StoreMethod::kRemove, url));
  return store_.Remove(url, generation, activity);
}

absl::StatusOr<std::vector<ListedObject>> FailingStore::List(const std::string& url, size_t max,
                                                             const Activity& activity) {
  RETURN_IF_ERROR(StatusOfNextFault(StoreMethod::kList, url));
  return store_.List(url, max, activity);
}

absl::Status FailingStore::Flush() {
  RETURN_IF_ERROR(StatusOfNextFault(StoreMethod::kFlush, ""));
  return store_.Flush();
}

std::optional<StoreFault> FailingStore::NextFault(StoreMethod method, const std::string& url) {
  MutexLock lock(mutex_);
  for (StoreFault& fault : faults_) {
    if (fault.method != method || !absl::StrContains(url, fault.url_part)) continue;
    if (fault.skip > 0) {
      --fault.skip;
    } else if (fault.times > 0) {
      --fault.times;
      return fault;
    }
  }
  return std::nullopt;
}

absl::Status FailingStore::StatusOfNextFault(StoreMethod method, const std::string& url) {
  const std::optional<StoreFault> fault = NextFault(method, url);
  return fault.has_value() ? fault->status : absl::OkStatus();
}

absl::Status FailingStore::TakeQuota(uint64_t bytes, const std::string& url) {
  MutexLock lock(mutex_);
  if (!quota_.has_value()) return absl::OkStatus();
  if (bytes > *quota_) return ErrnoError(ENOSPC, url);
  *quota_ -= bytes;
  return absl::OkStatus();
}

}  // namespace sparkles
