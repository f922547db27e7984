// Reads the bytes that an upload sends, repeatedly if needed, and computes their checksum.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/activity.h"

namespace sparkles {

// `read` reads at least one byte at `offset` into the buffer. It is not called for bytes after
// `size`. Its errors end the upload and are returned: Aborted if the content has changed since the
// upload began.
struct GcsContent {
  uint64_t size = 0;  // bytes
  std::function<absl::StatusOr<size_t>(uint64_t offset, char* buffer, size_t capacity)> read;
  std::string type = "application/octet-stream";  // of the object, as a Content-Type
  // May be empty. Called before an object is replaced, when its generation is known. Cancelled ends
  // the upload; any other error is retried.
  std::function<absl::Status()> before_replacing = nullptr;
  // The generation that the first attempt replaces; 0: it makes a new object. If that is wrong, the
  // upload looks what is there.
  int64_t known_generation = 0;
};

// Serves one upload. Not thread-safe.
class GcsSource {
 public:
  // Borrows `content` and `activity`.
  GcsSource(const GcsContent& content, const Activity& activity)
      : content_(content), activity_(activity) {}

  uint64_t size() const { return content_.size; }
  const std::string& type() const { return content_.type; }
  uint64_t position() const { return position_; }

  // Continues at `offset`. Reads the bytes before it if their checksum is not known.
  absl::Status Seek(uint64_t offset);
  // Reads at most `capacity` of the next bytes; returns 0 at the end. Reports new bytes to the
  // activity. Aborted at the last byte if the checksum differs from that of the first read.
  absl::StatusOr<size_t> Read(char* buffer, size_t capacity);
  // The checksum of the whole content. Reads the content if the checksum is not known.
  absl::StatusOr<uint32_t> Crc();

 private:
  absl::StatusOr<size_t> ReadNext(char* buffer, size_t capacity);

  const GcsContent& content_;
  const Activity& activity_;
  uint64_t position_ = 0;
  uint32_t crc_ = 0;       // of the bytes before position_
  uint64_t farthest_ = 0;  // highest position_ after a Read; bytes before it are not new
  std::optional<uint32_t> whole_crc_;
};

}  // namespace sparkles
