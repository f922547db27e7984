#include "storage/local_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/copy.h"
#include "base/crc32c.h"
#include "base/directory.h"
#include "base/file_url.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Returns "url: reason". Removes the path if the message begins with it.
absl::Status NameUrl(const absl::Status& status, absl::string_view url) {
  absl::string_view reason = status.message();
  const std::string path_prefix = absl::StrCat(absl::StripPrefix(url, kFileScheme), ": ");
  if (!absl::ConsumePrefix(&reason, path_prefix)) return Annotate(status, url);
  return WithMessage(status, absl::StrCat(url, ": ", reason));
}

// NameUrl for an error of writing. A read-only destination is the task's choice, and no machine
// fault.
absl::Status AtDestination(const absl::Status& status, const std::string& path,
                           absl::string_view url) {
  const absl::Status named = NameUrl(status, url);
  std::string directory = DirectoryOf(path);
  // Goes up only from a missing directory: the parent of a dead mount says nothing about the mount.
  while (directory != "/" && access(directory.c_str(), F_OK) != 0 && errno == ENOENT) {
    directory = DirectoryOf(directory);
  }
  struct statvfs info;
  const bool read_only = statvfs(directory.c_str(), &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
  return read_only ? WithoutMarks(named) : named;
}

absl::StatusOr<struct stat> StatRegularFile(int fd, absl::string_view url) {
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoError(errno, url);
  if (S_ISREG(info.st_mode)) return info;
  return absl::FailedPreconditionError(absl::StrCat(url, ": not a regular file"));
}

absl::StatusOr<ObjectInfo> Transfer(int from, int to, absl::string_view url,
                                    const Activity& activity) {
  // A small file is copied in one piece, so this is the only check for a cancellation.
  RETURN_IF_ERROR(Annotate(activity.ReportWait(), url));
  ObjectInfo info;
  const auto size = CopyContent(from, to, &info.crc32c, activity);
  if (!size.ok()) return Annotate(size.status(), url);
  info.size = *size;
  return info;
}

}  // namespace

absl::StatusOr<ObjectInfo> LocalStore::Download(const std::string& url, int fd,
                                                const Activity& activity) {
  ASSIGN_OR_RETURN(const std::string path, ParseFileUrl(url));
  // O_NONBLOCK, so that a FIFO does not block before fstat shows its type.
  const auto source = OpenFile(path, O_RDONLY | O_NONBLOCK);
  if (!source.ok()) return NameUrl(source.status(), url);
  RETURN_IF_ERROR(StatRegularFile(source->get(), url).status());
  return Transfer(source->get(), fd, url, activity);
}

absl::StatusOr<ObjectInfo> LocalStore::Upload(int fd, const std::string& url, const UploadOptions&,
                                              const Activity& activity) {
  ASSIGN_OR_RETURN(const std::string path, ParseFileUrl(url));
  ASSIGN_OR_RETURN(const struct stat source, StatRegularFile(fd, url));
  auto file = Begin(path, 0666 | (source.st_mode & 0111));
  if (!file.ok()) return AtDestination(file.status(), path, url);
  ASSIGN_OR_RETURN(const ObjectInfo info, Transfer(fd, file->fd(), url, activity));
  const absl::Status finished = Finish(*file);
  if (!finished.ok()) return AtDestination(finished, path, url);
  return info;
}

absl::StatusOr<ObjectInfo> LocalStore::UploadBytes(absl::string_view bytes, const std::string& url,
                                                   const UploadOptions&, const Activity&) {
  ASSIGN_OR_RETURN(const std::string path, ParseFileUrl(url));
  auto file = Begin(path, 0666);
  absl::Status status = file.status();
  if (status.ok()) status = file->Write(bytes);
  if (status.ok()) status = Finish(*file);
  if (!status.ok()) return AtDestination(status, path, url);
  return ObjectInfo{.size = bytes.size(), .crc32c = Crc32c(bytes), .generation = 0};
}

absl::StatusOr<ObjectInfo> LocalStore::Append(int, uint64_t, const std::string& url,
                                              const ObjectInfo&, const UploadOptions&,
                                              const Activity&) {
  RETURN_IF_ERROR(ParseFileUrl(url).status());
  return absl::UnimplementedError(absl::StrCat(url, ": files are not joined"));
}

absl::StatusOr<std::optional<std::string>> LocalStore::ReadBytes(const std::string& url,
                                                                 size_t max_bytes, const Activity&,
                                                                 int64_t* generation) {
  ASSIGN_OR_RETURN(const std::string path, ParseFileUrl(url));
  auto content = ReadFile(path, max_bytes);
  if (absl::IsNotFound(content.status())) return std::nullopt;
  if (!content.ok()) return NameUrl(content.status(), url);
  if (generation != nullptr) *generation = 0;
  return *std::move(content);
}

absl::Status LocalStore::Remove(const std::string& url, int64_t, const Activity&) {
  ASSIGN_OR_RETURN(const std::string path, ParseFileUrl(url));
  if (unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) {
    return NameUrl(ErrnoError(errno, path), url);
  }
  // Fails if the directory has more files, as it should. Directories above it may be the user's.
  (void)rmdir(DirectoryOf(path).c_str());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ListedObject>> LocalStore::List(const std::string& url, size_t max,
                                                           const Activity& activity) {
  ASSIGN_OR_RETURN(const std::string path, ParseFileUrl(url));
  std::vector<ListedObject> objects;
  const absl::StatusOr<UniqueFd> directory = OpenFile(path, O_RDONLY | O_DIRECTORY);
  if (absl::IsNotFound(directory.status())) return objects;
  if (!directory.ok()) return NameUrl(directory.status(), url);
  const absl::Status read =
      ForEachEntry(directory->get(), path, [&](const char* name, unsigned char type) {
        if (type == DT_REG && objects.size() < max) objects.push_back({name, 0});
        return activity.ReportWork();
      });
  if (!read.ok()) return NameUrl(read, url);
  return objects;
}

absl::Status LocalStore::Flush() { return durable_ ? backlog_.SyncAll() : absl::OkStatus(); }

absl::StatusOr<AtomicFile> LocalStore::Begin(const std::string& path, mode_t mode) {
  RETURN_IF_ERROR(CheckReplaceable(path));
  auto file = AtomicFile::Create(path, mode);
  // Makes the directory only after an error, because it nearly always exists.
  if (!absl::IsNotFound(file.status())) return file;
  RETURN_IF_ERROR(MakeParents(path));
  return AtomicFile::Create(path, mode);
}

absl::Status LocalStore::Finish(AtomicFile& file) {
  struct stat info;
  if (fstat(file.fd(), &info) != 0) return ErrnoError(errno, file.path());
  if (durable_) RETURN_IF_ERROR(backlog_.Reach(info.st_dev, DirectoryOf(file.path())));
  RETURN_IF_ERROR(file.Commit(/*durable=*/false));
  if (durable_) backlog_.AddFile(file.path(), info.st_dev);
  return absl::OkStatus();
}

absl::Status LocalStore::MakeParents(const std::string& path) {
  std::vector<std::string> changed;
  std::string directory = DirectoryOf(path);
  while (directory != "/" && access(directory.c_str(), F_OK) != 0) {
    directory = DirectoryOf(directory);
    changed.push_back(directory);
  }
  RETURN_IF_ERROR(MakeDirectories(DirectoryOf(path)));
  if (!durable_) return absl::OkStatus();
  for (const std::string& parent : changed) backlog_.AddDirectory(parent);
  return absl::OkStatus();
}

}  // namespace sparkles
