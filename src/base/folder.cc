#include "base/folder.h"

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

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

// Some file systems leave it to stat to tell the type.
unsigned char AskForType(int folder_fd, const char* entry) {
  struct stat info;
  if (fstatat(folder_fd, entry, &info, AT_SYMLINK_NOFOLLOW) != 0) return DT_UNKNOWN;
  return static_cast<unsigned char>(IFTODT(info.st_mode));
}

// What the kernel takes at once (PATH_MAX, 4096) less a NUL and some air.
constexpr size_t kMaxPiece = 4000;

}  // namespace

absl::StatusOr<UniqueFd> OpenBelow(int folder_fd, absl::string_view path, int flags) {
  UniqueFd on_the_way;
  int from = folder_fd;
  absl::string_view rest = path;
  while (true) {
    const size_t cut = rest.size() > kMaxPiece ? rest.rfind('/', kMaxPiece) : rest.npos;
    const bool last = cut == rest.npos;
    const std::string piece(rest.substr(0, cut));
    const int how = (last ? flags : O_PATH | O_DIRECTORY) | O_CLOEXEC;
    UniqueFd fd(Uninterrupted([&] { return openat(from, piece.c_str(), how); }));
    if (!fd.valid()) return OpenError(from, piece, errno, path);
    if (last) return fd;
    rest.remove_prefix(cut + 1);
    on_the_way = std::move(fd);
    from = on_the_way.get();
  }
}

absl::Status ForEachEntry(int folder_fd, absl::string_view name, EntryVisitor visit) {
  UniqueFd own(fcntl(folder_fd, F_DUPFD_CLOEXEC, 0));  // closedir closes what it reads
  if (!own.valid()) return ErrnoError(errno, name);
  const std::unique_ptr<DIR, CloseFolder> folder(fdopendir(own.get()));
  if (!folder) return ErrnoError(errno, name);
  own.release();
  while (true) {
    errno = 0;
    const dirent* entry = readdir(folder.get());  // NOLINT(concurrency-mt-unsafe): a stream of ours
    if (entry == nullptr) return errno == 0 ? absl::OkStatus() : ErrnoError(errno, name);
    const absl::string_view entry_name = entry->d_name;
    if (entry_name == "." || entry_name == "..") continue;
    const bool known = entry->d_type != DT_UNKNOWN;
    RETURN_IF_ERROR(
        visit(entry->d_name, known ? entry->d_type : AskForType(folder_fd, entry->d_name)));
  }
}

bool IsReadOnly(const std::string& folder) {
  // Only trying tells: after an error a file system can refuse to write while it says that it is
  // writable. A file without a name leaves nothing behind.
  const UniqueFd nameless(open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (nameless.valid()) return false;
  return errno == EROFS || (access(folder.c_str(), W_OK) != 0 && errno == EROFS);
}

}  // namespace sparkles
