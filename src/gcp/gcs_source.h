// What an upload sends: bytes that can be read again, with the checksum of what was handed out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/activity.h"

namespace sparkles {

// `read` fills the buffer with what it can from `offset` on, at least one byte; it is never asked
// for what lies behind `size`. Its errors end the upload and are returned: Aborted if the content
// has changed since the upload began.
struct GcsContent {
  uint64_t size = 0;  // bytes
  std::function<absl::StatusOr<size_t>(uint64_t offset, char* buffer, size_t capacity)> read;
  std::string type = "application/octet-stream";  // of the object, as a Content-Type
  // May be empty. Called before an object is replaced, whose generation is known. Cancelled ends
  // the upload; any other error is worth another try.
  std::function<absl::Status()> before_replacing = nullptr;
  // The generation that the first attempt replaces; 0: it makes a new object. If that is wrong, the
  // upload looks what is there.
  int64_t known_generation = 0;
};

// Not thread-safe; for one upload.
class GcsSource {
 public:
  // Borrows both.
  GcsSource(const GcsContent& content, const Activity& activity)
      : content_(content), activity_(activity) {}

  uint64_t size() const { return content_.size; }
  const std::string& type() const { return content_.type; }
  uint64_t position() const { return position_; }

  // Goes on from there; reads what lies before where its checksum is not known.
  absl::Status Seek(uint64_t offset);
  // The next bytes, at most `capacity`; 0 at the end. Reports those never handed out before.
  // Aborted before the last byte if the checksum is not what it was the first time.
  absl::StatusOr<size_t> Read(char* buffer, size_t capacity);
  // The checksum of the whole content, which is read for that unless it was just handed out.
  absl::StatusOr<uint32_t> Crc();

 private:
  absl::StatusOr<size_t> ReadNext(char* buffer, size_t capacity);

  const GcsContent& content_;
  const Activity& activity_;
  uint64_t position_ = 0;
  uint32_t crc_ = 0;       // of all before position_
  uint64_t farthest_ = 0;  // how far the content was handed out at most
  std::optional<uint32_t> whole_crc_;
};

}  // namespace sparkles
