// Reads the bytes of one object, and continues after broken connections.
// The first response has the generation and its checksum. After a break, the reader continues at
// the same offset of the same generation. Only the checksum of all bytes proves that they are
// right.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gcp/gcs_client.h"
#include "gcp/gcs_object.h"

namespace sparkles {

// What the headers of a download say about the version of the object.
struct GcsVersion {
  std::optional<uint64_t> size;  // number of stored bytes
  int64_t generation = 0;        // 0 if the headers do not have it
  std::optional<uint32_t> crc32c;
  bool encoded = false;  // stored with a Content-Encoding; the bytes arrive as they are stored
};

// Receives the bytes at `offset`, which is the end of the last piece, or 0 if the read starts over.
using GcsSink = std::function<absl::Status(uint64_t offset, absl::string_view piece)>;

// Reads once. Not thread-safe.
class GcsReader {
 public:
  // Borrows all but the sink.
  GcsReader(GcsClient& client, const GcsName& name, const Activity& activity, GcsSink sink)
      : client_(client), name_(name), activity_(activity), sink_(std::move(sink)) {}

  // Reads the whole object and checks it. Calls `on_version` before the first byte, and again if
  // the read starts over; its error ends the read and is returned. The generation in the result is
  // 0 if the server has none. NotFound: no such object or bucket. Machine faults: Unavailable if
  // the network fails for too long, DataLoss if the bytes were wrong each time, FailedPrecondition
  // if the server compresses or decompresses the bytes.
  absl::StatusOr<GcsObject> ReadWhole(
      const std::function<absl::Status(const GcsVersion&)>& on_version);

  // Reads the bytes from `first` up to but not including `end` of `version`. Returns their
  // checksum, which the caller must check. NotFound: the version does not exist any more. DataLoss:
  // the server does not send this range. Other errors are those of ReadWhole.
  absl::StatusOr<uint32_t> ReadRange(const GcsVersion& version, uint64_t first, uint64_t end);

 private:
  Attempt TryOnce();
  absl::Status ReadRest();
  HttpRequest MakeRequest();
  absl::Status CheckHeaders(const HttpResponse& response);
  absl::Status CheckRangeHeaders(const HttpResponse& response);
  absl::Status TakePiece(const HttpResponse& response, absl::string_view piece);
  absl::Status CheckWhole();
  absl::Status StartOver(const absl::Status& why);
  bool complete() const { return end_.has_value() && position_ == *end_; }

  GcsClient& client_;
  const GcsName& name_;
  const Activity& activity_;
  const GcsSink sink_;
  std::function<absl::Status(const GcsVersion&)> on_version_;

  std::optional<GcsVersion> version_;  // from the first response
  uint64_t first_ = 0;
  std::optional<uint64_t> end_;  // nullopt until the size is known
  bool whole_ = true;
  uint64_t position_ = 0;         // offset of the next byte, between first_ and end_
  uint32_t crc_ = 0;              // of the bytes from first_ to position_
  uint64_t farthest_ = 0;         // highest position_ so far; bytes before it are not new
  uint64_t progress_from_ = 0;    // farthest_ when an attempt last made progress
  bool headers_checked_ = false;  // of the present response
  int restarts_ = 0;
};

}  // namespace sparkles
