#include "base/copy.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>

#include "base/crc32c.h"
#include "base/fd.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Fits into the second-level cache, so the checksum does not read memory. Larger pieces are not
// faster.
constexpr uint64_t kPieceBytes = uint64_t{64} << 10;
// To share blocks costs a transaction of the file system, which takes longer than to copy a small
// file.
constexpr uint64_t kShareFromBytes = uint64_t{1} << 20;
// The number of bytes that the kernel copies between two signs of life.
constexpr uint64_t kKernelCopyBytes = uint64_t{16} << 20;

absl::Status ChangedError() { return absl::AbortedError("changed while it was read"); }

absl::StatusOr<struct stat> StatOf(int fd) {
  struct stat info;
  if (fstat(fd, &info) != 0) return ErrnoError(errno, "stat");
  return info;
}

// Copies as much as the kernel can, and returns the number of bytes. Ignores errors, because the
// kernel refuses for many harmless reasons. The rest is read and written, which shows serious
// errors.
absl::StatusOr<uint64_t> CopyInKernel(int from, int to, uint64_t size, const Activity& activity) {
  off_t source_offset = 0;
  off_t target_offset = 0;
  uint64_t left = size;
  while (left > 0) {
    const ssize_t copied = copy_file_range(from, &source_offset, to, &target_offset,
                                           std::min(left, kKernelCopyBytes), 0);
    if (copied <= 0) break;
    left -= static_cast<uint64_t>(copied);
    RETURN_IF_ERROR(activity.ReportBytes(static_cast<uint64_t>(copied)));
  }
  return size - left;
}

absl::Status VisitPieces(int fd, uint64_t offset, uint64_t size,
                         absl::FunctionRef<absl::Status(uint64_t, absl::string_view)> visit) {
  if (offset == size) return absl::OkStatus();
  const std::unique_ptr<char[]> buffer(new char[std::min(size - offset, kPieceBytes)]);
  while (offset < size) {
    const size_t wanted = std::min(size - offset, kPieceBytes);
    const ssize_t got =
        RetryOnEintr([&] { return pread(fd, buffer.get(), wanted, static_cast<off_t>(offset)); });
    if (got < 0) return ErrnoError(errno, "read");
    if (got == 0) return ChangedError();
    RETURN_IF_ERROR(visit(offset, {buffer.get(), static_cast<size_t>(got)}));
    offset += static_cast<uint64_t>(got);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteAt(int fd, uint64_t offset, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t written = RetryOnEintr(
        [&] { return pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset)); });
    if (written < 0) return ErrnoError(errno, "write");
    data.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return absl::OkStatus();
}

absl::Status ReadPieces(int fd, uint64_t size,
                        absl::FunctionRef<absl::Status(absl::string_view piece)> visit) {
  return VisitPieces(fd, 0, size, [&](uint64_t, absl::string_view piece) { return visit(piece); });
}

absl::StatusOr<uint64_t> CopyContent(int from, int to, uint32_t* crc32c, const Activity& activity) {
  ASSIGN_OR_RETURN(const struct stat before, StatOf(from));
  const auto size = static_cast<uint64_t>(before.st_size);
  char probe;
  if (size == 0 && pread(from, &probe, 1, 0) > 0) {
    return absl::FailedPreconditionError("has content, but no size (a file of /proc?)");
  }
  uint32_t crc = 0;
  if (size >= kShareFromBytes && ioctl(to, FICLONE, from) == 0) {
    if (crc32c == nullptr) {
      RETURN_IF_ERROR(activity.ReportBytes(size));
    } else {
      const auto add_piece = [&](absl::string_view piece) {
        crc = ExtendCrc32c(crc, piece);
        return activity.ReportBytes(piece.size());
      };
      RETURN_IF_ERROR(ReadPieces(to, size, add_piece));
    }
  } else {
    uint64_t done = 0;
    if (crc32c == nullptr) {
      ASSIGN_OR_RETURN(done, CopyInKernel(from, to, size, activity));
    }
    const auto copy_piece = [&](uint64_t offset, absl::string_view piece) {
      RETURN_IF_ERROR(WriteAt(to, offset, piece));
      if (crc32c != nullptr) crc = ExtendCrc32c(crc, piece);
      return activity.ReportBytes(piece.size());
    };
    RETURN_IF_ERROR(VisitPieces(from, done, size, copy_piece));
  }
  ASSIGN_OR_RETURN(const struct stat after, StatOf(from));
  if (after.st_size != before.st_size || after.st_mtim.tv_sec != before.st_mtim.tv_sec ||
      after.st_mtim.tv_nsec != before.st_mtim.tv_nsec) {
    return ChangedError();
  }
  if (crc32c != nullptr) *crc32c = crc;
  return size;
}

}  // namespace sparkles
