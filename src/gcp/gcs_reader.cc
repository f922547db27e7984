#include "gcp/gcs_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "http/transient.h"

namespace sparkles {
namespace {

// After three wrong reads the network of this machine is at fault. Another machine may succeed.
constexpr int kMaxRestarts = 2;

bool IsGzip(const std::string* encoding) { return encoding != nullptr && *encoding == "gzip"; }

// An error if the bytes that arrive are not the stored bytes, and cannot be checked.
absl::Status CheckEncoding(const HttpHeaders& headers) {
  const std::string* const stored = headers.Find("X-Goog-Stored-Content-Encoding");
  if (stored == nullptr) return absl::OkStatus();
  const bool arrives_gzip = IsGzip(headers.Find("Content-Encoding"));
  if (IsGzip(stored) == arrives_gzip) return absl::OkStatus();
  return MachineFault(absl::FailedPreconditionError(
      absl::StrCat("the server ", arrives_gzip ? "compresses" : "decompresses",
                   " the object on its way, so that it cannot be verified")));
}

GcsVersion VersionOf(const HttpHeaders& headers) {
  GcsVersion version;
  version.size = FindNumber(headers, "X-Goog-Stored-Content-Length");
  if (!version.size.has_value()) version.size = FindNumber(headers, "Content-Length");
  version.generation = static_cast<int64_t>(FindNumber(headers, "X-Goog-Generation").value_or(0));
  version.crc32c = FindCrc32c(headers);
  version.encoded = headers.Find("Content-Encoding") != nullptr;
  return version;
}

}  // namespace

absl::StatusOr<GcsObject> GcsReader::ReadWhole(
    const std::function<absl::Status(const GcsVersion&)>& on_version) {
  on_version_ = on_version;
  RETURN_IF_ERROR(client_.Retry(name_, GcsRight::kRead, activity_, [this] { return TryOnce(); }));
  return GcsObject{position_, version_->generation, crc_, version_->encoded};
}

absl::StatusOr<uint32_t> GcsReader::ReadRange(const GcsVersion& version, uint64_t first,
                                              uint64_t end) {
  version_ = version;
  whole_ = false;
  first_ = position_ = farthest_ = progress_from_ = first;
  end_ = end;
  RETURN_IF_ERROR(client_.Retry(name_, GcsRight::kRead, activity_, [this] { return TryOnce(); }));
  return crc_;
}

Attempt GcsReader::TryOnce() {
  const absl::Status status = ReadRest();
  const bool progress = farthest_ >= progress_from_ + kGcsProgressBytes;
  if (progress) progress_from_ = farthest_;
  return {status, progress};
}

absl::Status GcsReader::ReadRest() {
  if (complete()) return CheckWhole();
  absl::Status wrong;  // the reason why the response cannot be used
  const auto make_request = [&] {
    HttpRequest request = MakeRequest();
    request.on_body = [&](const HttpResponse& response, absl::string_view piece) {
      const absl::Status taken = TakePiece(response, piece);
      if (absl::IsDataLoss(taken)) wrong = taken;
      return taken;
    };
    return request;
  };
  auto response = client_.Send(make_request, activity_, {416});
  if (response.ok() && response->status == 416) {
    wrong = absl::DataLossError("the server has no bytes at the offset asked for (HTTP 416)");
  } else if (response.ok() && !headers_checked_) {
    wrong = CheckHeaders(*response);
    if (!wrong.ok() && !absl::IsDataLoss(wrong)) return wrong;
  }
  if (!wrong.ok()) return StartOver(wrong);
  // Another client replaced the object during the read. The new object is read instead.
  if (absl::IsNotFound(response.status()) && version_.has_value() && whole_) {
    return StartOver(absl::UnavailableError(response.status().message()));
  }
  // An error after the last byte does not matter.
  if (!complete() || !IsTransient(response.status())) RETURN_IF_ERROR(response.status());
  if (!complete()) {
    if (end_.has_value()) {
      return MarkRetryable(absl::UnavailableError(
          absl::StrCat("broke off after ", position_, " of ", *end_, " bytes")));
    }
    end_ = position_;
  }
  return CheckWhole();
}

HttpRequest GcsReader::MakeRequest() {
  headers_checked_ = false;
  HttpRequest request;
  request.url = client_.ObjectUrl(name_) + "?alt=media";
  // Without this header the server would decompress objects that are stored as gzip.
  request.headers.Add("Accept-Encoding", "gzip");
  if (version_.has_value() && version_->generation != 0) {
    absl::StrAppend(&request.url, "&generation=", version_->generation);
  }
  if (!whole_) {
    request.headers.Add("Range", absl::StrCat("bytes=", position_, "-", *end_ - 1));
  } else if (position_ > 0) {
    request.headers.Add("Range", absl::StrCat("bytes=", position_, "-"));
  }
  return request;
}

// Checks the headers of a response. DataLoss if they do not fit the request. Retryable, without a
// new start, if the response is not from Cloud Storage.
absl::Status GcsReader::CheckHeaders(const HttpResponse& response) {
  headers_checked_ = true;
  RETURN_IF_ERROR(CheckEncoding(response.headers));
  if (version_.has_value() && (position_ > 0 || !whole_)) return CheckRangeHeaders(response);
  if (response.status != 200) {
    return MarkRetryable(
        absl::UnavailableError(absl::StrCat("HTTP ", response.status, " instead of 200")));
  }
  version_ = VersionOf(response.headers);
  end_ = version_->size;
  return on_version_ ? on_version_(*version_) : absl::OkStatus();
}

absl::Status GcsReader::CheckRangeHeaders(const HttpResponse& response) {
  const GcsVersion sent = VersionOf(response.headers);
  if (version_->generation != 0 && sent.generation == 0) {
    return MarkRetryable(absl::UnavailableError("the answer is not from Cloud Storage"));
  }
  if (sent.generation != version_->generation && version_->generation != 0) {
    return absl::DataLossError("the server sends another generation than requested");
  }
  const std::string* const text = response.headers.Find("Content-Range");
  const auto range = text != nullptr ? ParseContentRange(*text) : std::nullopt;
  const bool from_start = !range.has_value() || range->first == 0;
  if (response.status == 200 && whole_ && from_start) {
    if (version_->size.has_value() && sent.size.value_or(*version_->size) != *version_->size) {
      return MarkRetryable(absl::UnavailableError("the answer has another length than the object"));
    }
    // The server ignores ranges and sends the whole object again.
    position_ = 0;
    crc_ = 0;
    return absl::OkStatus();
  }
  // Some servers send a part with 200; Content-Range says which part it is.
  if (response.status != 206 && !range.has_value()) {
    return absl::DataLossError("the server ignores the requested range");
  }
  const bool fits = range.has_value() && range->first == position_ &&
                    (!range->total || !version_->size || *range->total == *version_->size);
  return fits ? absl::OkStatus()
              : absl::DataLossError("the server sends another range than requested");
}

absl::Status GcsReader::TakePiece(const HttpResponse& response, absl::string_view piece) {
  if (!headers_checked_) RETURN_IF_ERROR(CheckHeaders(response));
  if (end_.has_value() && piece.size() > *end_ - position_) {
    return absl::DataLossError("the server sends more bytes than the object has");
  }
  RETURN_IF_ERROR(sink_(position_, piece));
  crc_ = ExtendCrc32c(crc_, piece);
  position_ += piece.size();
  const uint64_t fresh = position_ - std::min(position_, farthest_);
  farthest_ = std::max(farthest_, position_);
  return activity_.ReportBytes(fresh);
}

absl::Status GcsReader::CheckWhole() {
  if (!whole_) return absl::OkStatus();
  if (!version_->crc32c.has_value()) {
    ASSIGN_OR_RETURN(const std::optional<GcsObject> object, client_.GetMetadata(name_, activity_));
    const bool same = object.has_value() && object->size == position_ &&
                      (version_->generation == 0 || object->generation == version_->generation);
    if (!same) return StartOver(absl::DataLossError("replaced while it was read"));
    version_->crc32c = object->crc32c;
    version_->generation = object->generation;
  }
  if (crc_ == *version_->crc32c) return absl::OkStatus();
  return StartOver(absl::DataLossError(absl::StrCat("the bytes that arrived have the crc32c ",
                                                    FormatCrc32c(crc_), " and not the object's, ",
                                                    FormatCrc32c(*version_->crc32c))));
}

absl::Status GcsReader::StartOver(const absl::Status& why) {
  if (++restarts_ > kMaxRestarts) return MachineFault(why);
  // All bytes of a range came from the right version, so the reader continues after them.
  if (!whole_) return MarkRetryable(why);
  version_.reset();
  end_.reset();
  position_ = 0;
  crc_ = 0;
  return MarkRetryable(why);
}

}  // namespace sparkles
