#include "tests/support/mem_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/copy.h"
#include "base/crc32c.h"
#include "base/status.h"

namespace sparkles {
namespace {

absl::Status CheckUrl(absl::string_view url) {
  const size_t scheme_end = url.find("://");
  if (scheme_end != absl::string_view::npos && !absl::EndsWith(url, "/")) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(url, ": not the URL of an object"));
}

absl::StatusOr<std::string> ReadAll(int fd, const Activity& activity) {
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoError(errno, "stat");
  if (!S_ISREG(info.st_mode)) return absl::FailedPreconditionError("not a regular file");
  std::string content;
  const auto add_piece = [&](absl::string_view piece) {
    content.append(piece.data(), piece.size());
    return activity.ReportBytes(piece.size());
  };
  RETURN_IF_ERROR(activity.ReportWait());
  RETURN_IF_ERROR(ReadPieces(fd, static_cast<uint64_t>(info.st_size), add_piece));
  return content;
}

}  // namespace

void MemStore::Put(const std::string& url, absl::string_view content) {
  MutexLock lock(mutex_);
  Object& object = objects_[url];
  object.content = std::string(content);
  ++object.generation;
}

std::optional<std::string> MemStore::Get(const std::string& url) const {
  MutexLock lock(mutex_);
  const auto found = objects_.find(url);
  if (found == objects_.end()) return std::nullopt;
  return found->second.content;
}

int64_t MemStore::GenerationOf(const std::string& url) const {
  MutexLock lock(mutex_);
  const auto found = objects_.find(url);
  return found == objects_.end() ? 0 : found->second.generation;
}

std::vector<std::string> MemStore::Urls() const {
  MutexLock lock(mutex_);
  std::vector<std::string> urls;
  for (const auto& [url, object] : objects_) urls.push_back(url);
  return urls;
}

int MemStore::downloads() const {
  MutexLock lock(mutex_);
  return downloads_;
}

absl::StatusOr<ObjectInfo> MemStore::Download(const std::string& url, int fd,
                                              const Activity& activity) {
  RETURN_IF_ERROR(CheckUrl(url));
  Object object;
  {
    MutexLock lock(mutex_);
    ++downloads_;
    const auto found = objects_.find(url);
    if (found == objects_.end()) return absl::NotFoundError(absl::StrCat(url, ": not found"));
    object = found->second;
  }
  const std::string& content = object.content;
  RETURN_IF_ERROR(Annotate(activity.ReportWait(), url));
  for (size_t offset = 0; offset < content.size();) {
    const size_t wanted = std::min<size_t>(content.size() - offset, 64 * 1024);
    const ssize_t put = pwrite(fd, content.data() + offset, wanted, static_cast<off_t>(offset));
    if (put < 0) return ErrnoError(errno, url);
    offset += static_cast<size_t>(put);
    RETURN_IF_ERROR(Annotate(activity.ReportBytes(static_cast<uint64_t>(put)), url));
  }
  return ObjectInfo{content.size(), Crc32c(content), object.generation};
}

absl::StatusOr<ObjectInfo> MemStore::Upload(int fd, const std::string& url,
                                            const UploadOptions& options,
                                            const Activity& activity) {
  const auto content = ReadAll(fd, activity);
  if (!content.ok()) return Annotate(content.status(), url);
  return UploadBytes(*content, url, options, activity);
}

absl::StatusOr<ObjectInfo> MemStore::UploadBytes(absl::string_view bytes, const std::string& url,
                                                 const UploadOptions& options, const Activity&) {
  RETURN_IF_ERROR(CheckUrl(url));
  if (options.before_replacing && GenerationOf(url) != options.known_generation) {
    RETURN_IF_ERROR(Annotate(options.before_replacing(), url));
  }
  MutexLock lock(mutex_);
  Object& object = objects_[url];
  object.content = std::string(bytes);
  return ObjectInfo{bytes.size(), Crc32c(bytes), ++object.generation};
}

absl::StatusOr<ObjectInfo> MemStore::Append(int fd, uint64_t size, const std::string& url,
                                            const ObjectInfo& object, const UploadOptions& options,
                                            const Activity& activity) {
  RETURN_IF_ERROR(CheckUrl(url));
  auto content = ReadAll(fd, Activity(activity.cancel()));
  if (!content.ok()) return Annotate(content.status(), url);
  if (content->size() < size) return absl::AbortedError(absl::StrCat(url, ": became shorter"));
  content->resize(size);
  if (size < object.size) return absl::InvalidArgumentError(absl::StrCat(url, ": is longer"));
  RETURN_IF_ERROR(Annotate(activity.ReportBytes(size - object.size), url));
  if (object.size == 0) return UploadBytes(*content, url, options, activity);
  const std::string more = content->substr(object.size);
  MutexLock lock(mutex_);
  const auto found = objects_.find(url);
  const bool there = found != objects_.end();
  if (there && found->second.generation == object.generation) {
    found->second = {found->second.content + more, object.generation + 1};
  } else {
    // The work of an earlier call, whose result was lost.
    const bool done =
        there && found->second.content.size() == size &&
        Crc32c(found->second.content) == CombineCrc32c(object.crc32c, Crc32c(more), more.size());
    if (!done) return absl::FailedPreconditionError(absl::StrCat(url, ": was replaced"));
  }
  const Object& now = found->second;
  return ObjectInfo{now.content.size(), Crc32c(now.content), now.generation};
}

absl::StatusOr<std::optional<std::string>> MemStore::ReadBytes(const std::string& url,
                                                               size_t max_bytes, const Activity&,
                                                               int64_t* generation) {
  RETURN_IF_ERROR(CheckUrl(url));
  std::optional<std::string> content = Get(url);
  if (content.has_value() && content->size() > max_bytes) {
    return absl::FailedPreconditionError(absl::StrCat(url, ": longer than ", max_bytes, " bytes"));
  }
  if (generation != nullptr) *generation = GenerationOf(url);
  return content;
}

absl::Status MemStore::Remove(const std::string& url, int64_t generation,
                              const Activity& activity) {
  RETURN_IF_ERROR(CheckUrl(url));
  RETURN_IF_ERROR(Annotate(activity.ReportWait(), url));
  MutexLock lock(mutex_);
  const auto found = objects_.find(url);
  if (found != objects_.end() && found->second.generation == generation) objects_.erase(found);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ListedObject>> MemStore::List(const std::string& url, size_t max,
                                                         const Activity& activity) {
  RETURN_IF_ERROR(CheckUrl(url));
  RETURN_IF_ERROR(Annotate(activity.ReportWait(), url));
  const std::string prefix = url + "/";
  MutexLock lock(mutex_);
  std::vector<ListedObject> objects;
  for (const auto& [whole, object] : objects_) {
    absl::string_view name = whole;
    if (!absl::ConsumePrefix(&name, prefix) || absl::StrContains(name, "/")) continue;
    if (objects.size() < max) objects.push_back({std::string(name), object.generation});
  }
  return objects;
}

}  // namespace sparkles
