#include "storage/sliced_download.h"

#include <fcntl.h>

#include <cerrno>

#include "base/copy.h"
#include "base/crc32c.h"
#include "base/parallel.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Reserves the space, so that a full disk is noticed before the download. Does nothing if the file
// system cannot reserve space.
absl::Status Reserve(int fd, uint64_t size) {
  if (fallocate(fd, 0, 0, static_cast<off_t>(size)) == 0) return absl::OkStatus();
  const bool refused = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  return refused ? ErrnoError(errno, "reserve space") : absl::OkStatus();
}

}  // namespace

absl::StatusOr<uint32_t> SlicedDownload::Run(int slices) {
  const uint64_t size = *version_.size;
  RETURN_IF_ERROR(Reserve(fd_, size));
  const auto count = static_cast<uint64_t>(slices);
  const auto end_of = [&](uint64_t slice) { return slice == count ? size : size / count * slice; };
  std::vector<uint32_t> crcs(count);
  (void)ParallelFor(count, slices, [&](size_t i) {
    const absl::StatusOr<uint32_t> crc = ReadSlice(end_of(i), end_of(i + 1));
    if (!crc.ok()) Fail(crc.status());
    crcs[i] = crc.value_or(0);
    return crc.status();
  });
  {
    MutexLock lock(mutex_);
    RETURN_IF_ERROR(status_);
  }
  uint32_t all = 0;
  for (uint64_t i = 0; i < count; ++i) {
    all = CombineCrc32c(all, crcs[i], end_of(i + 1) - end_of(i));
  }
  return all;
}

absl::StatusOr<uint32_t> SlicedDownload::ReadSlice(uint64_t first, uint64_t end) {
  GcsReader reader(client_, name_, activity_, [this](uint64_t offset, absl::string_view piece) {
    return WriteAt(fd_, offset, piece);
  });
  return reader.ReadRange(version_, first, end);
}

void SlicedDownload::Fail(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    status_.Update(status);
  }
  stop_.Cancel(CancelKind::kAbort, "another slice has failed");
}

}  // namespace sparkles
