#include "gcp/gcs_source.h"

#include <algorithm>
#include <memory>

#include "absl/strings/string_view.h"
#include "base/crc32c.h"
#include "base/status.h"

namespace sparkles {
namespace {

// Fits into the second-level cache, so that the checksum does not read from main memory.
constexpr size_t kPieceBytes = size_t{64} << 10;

}  // namespace

absl::Status GcsSource::Seek(uint64_t offset) {
  if (offset == position_) return absl::OkStatus();
  if (offset < position_) {
    position_ = 0;
    crc_ = 0;
  }
  if (position_ == offset) return absl::OkStatus();
  const std::unique_ptr<char[]> buffer(new char[kPieceBytes]);
  while (position_ < offset) {
    const size_t wanted = std::min<uint64_t>(kPieceBytes, offset - position_);
    RETURN_IF_ERROR(ReadNext(buffer.get(), wanted).status());
    RETURN_IF_ERROR(activity_.ReportWork());
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> GcsSource::Read(char* buffer, size_t capacity) {
  ASSIGN_OR_RETURN(const size_t got, ReadNext(buffer, capacity));
  const uint64_t fresh = position_ - std::min(position_, farthest_);
  farthest_ = std::max(farthest_, position_);
  RETURN_IF_ERROR(activity_.ReportBytes(fresh));
  return got;
}

absl::StatusOr<uint32_t> GcsSource::Crc() {
  if (!whole_crc_.has_value()) {
    RETURN_IF_ERROR(Seek(size()));
    whole_crc_ = crc_;
  }
  return *whole_crc_;
}

absl::StatusOr<size_t> GcsSource::ReadNext(char* buffer, size_t capacity) {
  const size_t wanted = std::min<uint64_t>(capacity, size() - position_);
  if (wanted == 0) return size_t{0};
  ASSIGN_OR_RETURN(const size_t got, content_.read(position_, buffer, wanted));
  crc_ = ExtendCrc32c(crc_, absl::string_view(buffer, got));
  position_ += got;
  if (position_ == size() && whole_crc_.value_or(crc_) != crc_) {
    return absl::AbortedError("changed while it was read");
  }
  return got;
}

}  // namespace sparkles
