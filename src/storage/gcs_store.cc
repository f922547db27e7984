#include "storage/gcs_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/copy.h"
#include "base/fd.h"
#include "base/status.h"
#include "gcp/gcs_append.h"
#include "gcp/gcs_list.h"
#include "gcp/gcs_probe.h"
#include "gcp/gcs_upload.h"
#include "storage/content_type.h"
#include "storage/sliced_download.h"

namespace sparkles {
namespace {

ObjectInfo InfoOf(const GcsObject& object) {
  return {.size = object.size, .crc32c = object.crc32c, .generation = object.generation};
}

bool SameContent(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

// Reads the regular file `fd`, which must stay open.
absl::StatusOr<GcsContent> ContentOf(int fd) {
  struct stat before;
  if (fstat(fd, &before) != 0) return ErrnoError(errno, "stat");
  if (!S_ISREG(before.st_mode)) return absl::FailedPreconditionError("not a regular file");
  const auto size = static_cast<uint64_t>(before.st_size);
  // An upload of no bytes reads nothing, so it would not notice that the file has content. Files of
  // /proc have content although their size is 0.
  char byte;
  const ssize_t more = size == 0 ? pread(fd, &byte, 1, 0) : 0;
  if (more < 0) return ErrnoError(errno, "read");
  if (more > 0) return absl::AbortedError("has content, but claims to be empty");
  const auto read = [fd, size, before](uint64_t offset, char* buffer,
                                       size_t capacity) -> absl::StatusOr<size_t> {
    const ssize_t got =
        RetryOnEintr([&] { return pread(fd, buffer, capacity, static_cast<off_t>(offset)); });
    if (got < 0) return ErrnoError(errno, "read");
    struct stat now = before;
    // Checked before the last byte is sent, because the last byte completes the object.
    if (offset + static_cast<uint64_t>(got) == size && fstat(fd, &now) != 0) {
      return ErrnoError(errno, "stat");
    }
    if (got == 0 || !SameContent(before, now)) {
      return absl::AbortedError("changed while it was read");
    }
    return static_cast<size_t>(got);
  };
  return GcsContent{size, read};
}

// The bytes `from` to `to` of the regular file `fd`, which must stay open and may grow. GcsSource
// notices if the bytes change between two readings.
absl::StatusOr<GcsContent> RangeOf(int fd, uint64_t from, uint64_t to) {
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoError(errno, "stat");
  if (!S_ISREG(info.st_mode)) return absl::FailedPreconditionError("not a regular file");
  if (from > to) return absl::InvalidArgumentError("the object is longer than the file");
  const auto read = [fd, from](uint64_t offset, char* buffer,
                               size_t capacity) -> absl::StatusOr<size_t> {
    const auto at = static_cast<off_t>(from + offset);
    const ssize_t got = RetryOnEintr([&] { return pread(fd, buffer, capacity, at); });
    if (got < 0) return ErrnoError(errno, "read");
    if (got == 0) return absl::AbortedError("became shorter while it was read");
    return static_cast<size_t>(got);
  };
  return GcsContent{to - from, read};
}

// Applies `options` to the content of the object `name`, whose bytes can be read. The content type
// is given, or found by the name, or else by the first bytes.
absl::Status Apply(const UploadOptions& options, const GcsName& name, GcsContent& content) {
  content.before_replacing = options.before_replacing;
  content.known_generation = options.known_generation;
  content.type = options.content_type;
  if (content.type.empty()) content.type = ContentTypeOfName(name.object);
  if (!content.type.empty()) return absl::OkStatus();
  char first[kSniffedBytes];
  size_t got = 0;
  if (content.size > 0) {
    ASSIGN_OR_RETURN(got, content.read(0, first, std::min<uint64_t>(sizeof first, content.size)));
  }
  content.type = SniffContentType(absl::string_view(first, got));
  return absl::OkStatus();
}

}  // namespace

GcsStore::GcsStore(GcsClient& client, const GcsStoreOptions& options)
    : client_(client), options_(options), slots_(options.connections) {}

absl::StatusOr<ObjectInfo> GcsStore::Download(const std::string& url, int fd,
                                              const Activity& activity) {
  ASSIGN_OR_RETURN(const GcsName name, ParseGcsUrl(url));
  const auto slot = slots_.Take(activity);
  if (!slot.ok()) return Annotate(slot.status(), url);
  const absl::StatusOr<GcsObject> object = DownloadTo(fd, name, activity);
  if (!object.ok()) return Annotate(object.status(), url);
  return InfoOf(*object);
}

absl::StatusOr<ObjectInfo> GcsStore::Upload(int fd, const std::string& url,
                                            const UploadOptions& options,
                                            const Activity& activity) {
  ASSIGN_OR_RETURN(const GcsName name, ParseGcsUrl(url));
  const auto slot = slots_.Take(activity);
  if (!slot.ok()) return Annotate(slot.status(), url);
  absl::StatusOr<GcsContent> content = ContentOf(fd);
  if (!content.ok()) return Annotate(content.status(), url);
  RETURN_IF_ERROR(Annotate(Apply(options, name, *content), url));
  const auto object = Send(name, *content, activity);
  if (!object.ok()) return Annotate(object.status(), url);
  client_.NoteWritten(name);
  return InfoOf(*object);
}

absl::StatusOr<GcsObject> GcsStore::Send(const GcsName& name, const GcsContent& content,
                                         const Activity& activity) {
  return content.size <= options_.upload_at_once_bytes
             ? UploadAtOnce(client_, name, content, activity)
             : UploadResumably(client_, name, content, activity);
}

absl::StatusOr<ObjectInfo> GcsStore::UploadBytes(absl::string_view bytes, const std::string& url,
                                                 const UploadOptions& options,
                                                 const Activity& activity) {
  ASSIGN_OR_RETURN(const GcsName name, ParseGcsUrl(url));
  const auto slot = slots_.Take(activity);
  if (!slot.ok()) return Annotate(slot.status(), url);
  const auto read = [bytes](uint64_t offset, char* buffer,
                            size_t capacity) -> absl::StatusOr<size_t> {
    return bytes.copy(buffer, capacity, offset);
  };
  GcsContent content{bytes.size(), read};
  RETURN_IF_ERROR(Apply(options, name, content));
  const auto object = UploadAtOnce(client_, name, content, activity);
  if (!object.ok()) return Annotate(object.status(), url);
  client_.NoteWritten(name);
  return InfoOf(*object);
}

absl::StatusOr<ObjectInfo> GcsStore::Append(int fd, uint64_t size, const std::string& url,
                                            const ObjectInfo& object, const UploadOptions& options,
                                            const Activity& activity) {
  ASSIGN_OR_RETURN(const GcsName name, ParseGcsUrl(url));
  const auto slot = slots_.Take(activity);
  if (!slot.ok()) return Annotate(slot.status(), url);
  absl::StatusOr<GcsContent> content = RangeOf(fd, object.size, size);
  if (!content.ok()) return Annotate(content.status(), url);
  RETURN_IF_ERROR(Annotate(Apply(options, name, *content), url));
  const bool whole = object.size == 0;
  if (!whole) content->known_generation = 0;
  const GcsName sent_as = whole ? name : GcsName{name.bucket, name.object + kPartSuffix};
  absl::StatusOr<GcsObject> stored = Send(sent_as, *content, activity);
  if (stored.ok() && !whole) {
    const GcsPart part = {sent_as, *stored};
    stored = AppendPart(client_, name, {object.size, object.generation, object.crc32c}, part,
                        content->type, activity);
    // A part that stays is replaced by the next one.
    (void)client_.Delete(part.name, part.object.generation, activity);
  }
  if (!stored.ok()) return Annotate(stored.status(), url);
  client_.NoteWritten(name);
  return InfoOf(*stored);
}

absl::StatusOr<std::optional<std::string>> GcsStore::ReadBytes(const std::string& url,
                                                               size_t max_bytes,
                                                               const Activity& activity,
                                                               int64_t* generation) {
  ASSIGN_OR_RETURN(const GcsName name, ParseGcsUrl(url));
  const auto slot = slots_.Take(activity);
  if (!slot.ok()) return Annotate(slot.status(), url);
  const auto check_size = [max_bytes](uint64_t size) {
    if (size <= max_bytes) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("longer than ", max_bytes, " bytes"));
  };
  std::string content;
  GcsReader reader(client_, name, activity, [&](uint64_t offset, absl::string_view piece) {
    RETURN_IF_ERROR(check_size(offset + piece.size()));
    content.resize(offset);
    content.append(piece.data(), piece.size());
    return absl::OkStatus();
  });
  const auto object = reader.ReadWhole(
      [&](const GcsVersion& version) { return check_size(version.size.value_or(0)); });
  if (absl::IsNotFound(object.status())) return std::nullopt;
  if (!object.ok()) return Annotate(object.status(), url);
  content.resize(object->size);
  if (generation != nullptr) *generation = object->generation;
  return content;
}

absl::Status GcsStore::CheckWritable(const std::string& url, bool replace,
                                     const Activity& activity) {
  ASSIGN_OR_RETURN(const GcsName name, ParseGcsUrl(url));
  const auto slot = slots_.Take(activity);
  if (!slot.ok()) return Annotate(slot.status(), url);
  if (replace) RETURN_IF_ERROR(Annotate(ProbeReplace(client_, name, activity), url));
  if (client_.WasWrittenRecently(name)) return absl::OkStatus();
  RETURN_IF_ERROR(Annotate(ProbeWrite(client_, name, activity), url));
  client_.NoteWritten(name);
  return absl::OkStatus();
}

absl::Status GcsStore::Remove(const std::string& url, int64_t generation,
                              const Activity& activity) {
  ASSIGN_OR_RETURN(const GcsName name, ParseGcsUrl(url));
  const auto slot = slots_.Take(activity);
  if (!slot.ok()) return Annotate(slot.status(), url);
  return Annotate(client_.Remove(name, generation, activity), url);
}

absl::StatusOr<std::vector<ListedObject>> GcsStore::List(const std::string& url, size_t max,
                                                         const Activity& activity) {
  ASSIGN_OR_RETURN(const GcsName directory, ParseGcsUrl(url));
  const auto slot = slots_.Take(activity);
  if (!slot.ok()) return Annotate(slot.status(), url);
  const auto listed = ListDirectory(client_, directory, max, activity);
  if (!listed.ok()) return Annotate(listed.status(), url);
  std::vector<ListedObject> objects;
  for (const GcsEntry& entry : *listed) objects.push_back({entry.name, entry.generation});
  return objects;
}

// nullopt if slices would not be faster, or if no connection is free.
std::optional<GcsStore::SlicePlan> GcsStore::PlanSlices(const GcsVersion& version) {
  const uint64_t size = version.size.value_or(0);
  const bool can = version.crc32c.has_value() && version.generation != 0 && !version.encoded;
  if (!can || size <= options_.slice_from_bytes) return std::nullopt;
  const auto slices = std::min<uint64_t>(size / options_.min_slice_bytes,
                                         static_cast<uint64_t>(options_.max_slices));
  if (slices < 2) return std::nullopt;
  SlicePlan plan{version, slots_.TakeFree(static_cast<int>(slices) - 1)};
  if (plan.more.count() == 0) return std::nullopt;
  return plan;
}

absl::StatusOr<GcsObject> GcsStore::DownloadTo(int fd, const GcsName& name,
                                               const Activity& activity) {
  std::optional<SlicePlan> plan;
  bool may_slice = true;
  const auto read_whole = [&] {
    GcsReader reader(client_, name, activity, [&](uint64_t offset, absl::string_view piece) {
      return WriteAt(fd, offset, piece);
    });
    return reader.ReadWhole([&](const GcsVersion& version) {
      if (may_slice) plan = PlanSlices(version);
      if (!plan.has_value()) return absl::OkStatus();
      return absl::CancelledError("it is large: downloaded in slices instead");
    });
  };
  absl::StatusOr<GcsObject> object = read_whole();
  if (plan.has_value()) {
    object = DownloadSliced(fd, name, *plan, activity);
    plan.reset();
    may_slice = false;
    // The object was replaced, the server sends no ranges, or the bytes were wrong. A download over
    // one connection can still succeed, and has the better error message.
    const bool hopeful = absl::IsNotFound(object.status()) || absl::IsDataLoss(object.status());
    if (hopeful) object = read_whole();
  }
  RETURN_IF_ERROR(object.status());
  // Removes bytes of a longer version that was replaced during the read.
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoError(errno, "stat");
  if (static_cast<uint64_t>(info.st_size) > object->size &&
      ftruncate(fd, static_cast<off_t>(object->size)) != 0) {
    return ErrnoError(errno, "truncate");
  }
  return object;
}

absl::StatusOr<GcsObject> GcsStore::DownloadSliced(int fd, const GcsName& name,
                                                   const SlicePlan& plan,
                                                   const Activity& activity) {
  SlicedDownload download(client_, name, plan.version, activity, fd);
  ASSIGN_OR_RETURN(const uint32_t crc, download.Run(plan.more.count() + 1));
  if (crc != *plan.version.crc32c) return absl::DataLossError("the slices have another checksum");
  return GcsObject{*plan.version.size, plan.version.generation, crc, false};
}

}  // namespace sparkles
