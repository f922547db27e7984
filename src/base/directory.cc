#include "base/directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/status.h"

namespace sparkles {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

// Asks stat for the type, because some file systems do not report types in readdir.
unsigned char StatType(int directory_fd, const char* entry) {
  struct stat info;
  if (fstatat(directory_fd, entry, &info, AT_SYMLINK_NOFOLLOW) != 0) return DT_UNKNOWN;
  return static_cast<unsigned char>(IFTODT(info.st_mode));
}

// A little less than PATH_MAX (4096), the longest path that the kernel accepts.
constexpr size_t kMaxPiece = 4000;

}  // namespace

absl::StatusOr<UniqueFd> OpenBelow(int directory_fd, absl::string_view path, int flags) {
  UniqueFd parent;
  int from = directory_fd;
  absl::string_view rest = path;
  while (true) {
    const size_t cut = rest.size() > kMaxPiece ? rest.rfind('/', kMaxPiece) : rest.npos;
    const bool last = cut == rest.npos;
    const std::string piece(rest.substr(0, cut));
    const int how = (last ? flags : O_PATH | O_DIRECTORY) | O_CLOEXEC;
    UniqueFd fd(RetryOnEintr([&] { return openat(from, piece.c_str(), how); }));
    if (!fd.valid()) return OpenError(from, piece, errno, path);
    if (last) return fd;
    rest.remove_prefix(cut + 1);
    parent = std::move(fd);
    from = parent.get();
  }
}

absl::Status ForEachEntry(int directory_fd, absl::string_view name, EntryVisitor visit) {
  UniqueFd own(fcntl(directory_fd, F_DUPFD_CLOEXEC, 0));  // closedir closes what it reads
  if (!own.valid()) return ErrnoError(errno, name);
  const std::unique_ptr<DIR, CloseDirectory> directory(fdopendir(own.get()));
  if (!directory) return ErrnoError(errno, name);
  own.release();
  while (true) {
    errno = 0;
    const dirent* entry =
        readdir(directory.get());  // NOLINT(concurrency-mt-unsafe): one thread uses the stream
    if (entry == nullptr) return errno == 0 ? absl::OkStatus() : ErrnoError(errno, name);
    const absl::string_view entry_name = entry->d_name;
    if (entry_name == "." || entry_name == "..") continue;
    const bool known = entry->d_type != DT_UNKNOWN;
    RETURN_IF_ERROR(
        visit(entry->d_name, known ? entry->d_type : StatType(directory_fd, entry->d_name)));
  }
}

bool IsReadOnly(const std::string& directory) {
  // After an error, a file system can refuse to write and still report that it is writable.
  // Therefore this makes a file. A file without a name leaves nothing behind.
  const UniqueFd nameless(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (nameless.valid()) return false;
  return errno == EROFS || (access(directory.c_str(), W_OK) != 0 && errno == EROFS);
}

}  // namespace sparkles
