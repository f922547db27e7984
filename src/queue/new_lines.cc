#include "queue/new_lines.h"

#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/status.h"

namespace sparkles {
namespace {

constexpr size_t kChunkBytes = size_t{8} * 1024;  // on the stack, which can be small

}  // namespace

absl::StatusOr<off_t> ReadNewLines(int fd, off_t offset, const std::string& path,
                                   absl::FunctionRef<absl::Status(absl::string_view line)> take) {
  std::string unread;  // the bytes after `offset`
  char chunk[kChunkBytes];
  while (true) {
    const off_t end = offset + static_cast<off_t>(unread.size());
    const ssize_t got = RetryOnEintr([&] { return pread(fd, chunk, sizeof chunk, end); });
    if (got < 0) return ErrnoError(errno, path);
    if (got == 0) return end;
    unread.append(chunk, static_cast<size_t>(got));
    size_t start = 0;
    for (size_t stop; (stop = unread.find('\n', start)) != std::string::npos; start = stop + 1) {
      RETURN_IF_ERROR(take(absl::string_view(unread).substr(start, stop - start)));
    }
    unread.erase(0, start);
    offset += static_cast<off_t>(start);
    if (unread.size() > kMaxStateLineBytes) RETURN_IF_ERROR(take(unread));
  }
}

}  // namespace sparkles
