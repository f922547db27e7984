// Reads the bytes of one object, whatever breaks on the way.
// The first response gives the generation and its checksum. After a break, reading continues at the
// same offset of the same generation. Only the checksum of all bytes proves that they are right.
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

// What the headers of a download say of the version that comes.
struct GcsVersion {
  std::optional<uint64_t> size;  // bytes, as stored
  int64_t generation = 0;        // 0: not said
  std::optional<uint32_t> crc32c;
  bool encoded = false;  // stored with a Content-Encoding; the bytes come as they are stored
};

// Takes the bytes at `offset`, which is that of the last piece's end, or 0 when all starts anew.
using GcsSink = std::function<absl::Status(uint64_t offset, absl::string_view piece)>;

// Not thread-safe; for one read.
class GcsReader {
 public:
  // Borrows all but the sink.
  GcsReader(GcsClient& client, const GcsName& name, const Activity& activity, GcsSink sink)
      : client_(client), name_(name), activity_(activity), sink_(std::move(sink)) {}

  // The whole object, checked. `on_version` is called before the first byte (of each start); its
  // error ends the read and is returned. In what is returned nothing is unknown but, with servers
  // that have none, the generation. NotFound: no such object or bucket. Machine faults, beside
  // network trouble that lasts: DataLoss, when what came was never right; FailedPrecondition, when
  // the bytes are not those that are stored.
  absl::StatusOr<GcsObject> ReadWhole(
      const std::function<absl::Status(const GcsVersion&)>& on_version);

  // The bytes from `first` up to but not including `end` of that version, and their checksum, which
  // the caller must check. NotFound: the version is gone. DataLoss: the server cannot give it. Else
  // as above.
  absl::StatusOr<uint32_t> ReadRange(const GcsVersion& version, uint64_t first, uint64_t end);

 private:
  Attempt Try();
  absl::Status ReadOn();
  HttpRequest MakeRequest();
  absl::Status Begin(const HttpResponse& response);
  absl::Status BeginRest(const HttpResponse& response);
  absl::Status Take(const HttpResponse& response, absl::string_view piece);
  absl::Status CheckWhole();
  absl::Status StartOver(const absl::Status& why);
  bool complete() const { return end_.has_value() && position_ == *end_; }

  GcsClient& client_;
  const GcsName& name_;
  const Activity& activity_;
  const GcsSink sink_;
  std::function<absl::Status(const GcsVersion&)> on_version_;

  std::optional<GcsVersion> version_;  // as soon as it is known
  uint64_t first_ = 0;
  std::optional<uint64_t> end_;  // as soon as it is known
  bool whole_ = true;
  uint64_t position_ = 0;  // between first_ and end_: of the next byte
  uint32_t crc_ = 0;       // of first_ up to position_
  uint64_t farthest_ = 0;  // what position_ was at most: what lies before is no news
  uint64_t progress_from_ = 0;
  bool begun_ = false;  // the headers of this response were looked at
  int starts_over_ = 0;
};

}  // namespace sparkles
