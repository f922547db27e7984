// Implements UploadAtOnce (gcp/gcs_upload.h) with multipart requests.
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "gcp/gcs_target.h"
#include "gcp/gcs_upload.h"
#include "gcp/random_id.h"

namespace sparkles {
namespace {

// Content up to this size is read once and kept in memory. Dozens of uploads may run at a time.
constexpr uint64_t kInlineBytes = uint64_t{64} << 10;
// Ends the upload if other clients keep replacing the object between lookup and upload.
constexpr int kMaxConflicts = 10;

// The parts of the body before and after the content.
struct Envelope {
  std::string boundary;
  std::string head;
  std::string tail;
};

Envelope MakeEnvelope(const GcsName& name, const std::string& id, const std::string& type,
                      uint32_t crc) {
  const std::string boundary = "sparkles-" + id;
  const Json metadata = {
      {"name", name.object}, {"contentType", type}, {"crc32c", FormatCrc32c(crc)}};
  return {
      boundary,
      absl::StrCat("--", boundary, "\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n",
                   DumpJson(metadata), "\r\n--", boundary, "\r\nContent-Type: ", type, "\r\n\r\n"),
      absl::StrCat("\r\n--", boundary, "--\r\n")};
}

class AtOnce {
 public:
  AtOnce(GcsClient& client, const GcsName& name, const GcsContent& content,
         const Activity& activity)
      : client_(client),
        name_(name),
        activity_(activity),
        source_(content, activity),
        target_(client, name, content, activity) {}

  absl::StatusOr<GcsObject> Run() {
    RETURN_IF_ERROR(Prepare());
    const absl::Status end =
        client_.Retry(name_, GcsRight::kWrite, activity_, [this] { return Attempt{TryOnce()}; });
    RETURN_IF_ERROR(target_.ExplainFinalStatus(end, conflicts_ > 0));
    return target_.stored();
  }

 private:
  absl::Status Prepare();
  absl::Status TryOnce();
  HttpRequest MakeRequest();
  absl::StatusOr<size_t> Read(char* buffer, size_t capacity);

  GcsClient& client_;
  const GcsName& name_;
  const Activity& activity_;
  GcsSource source_;
  GcsTarget target_;
  const std::string id_ = RandomUuid();
  Envelope envelope_;
  bool inline_ = false;  // content_ has the whole content
  std::string content_;
  size_t envelope_sent_ = 0;     // bytes of head and tail that this request has sent
  bool check_existing_ = false;  // an object exists, or may exist
  int conflicts_ = 0;
};

absl::Status AtOnce::Prepare() {
  inline_ = source_.size() <= kInlineBytes;
  if (inline_) {
    content_.resize(source_.size());
    while (source_.position() < source_.size()) {
      const uint64_t at = source_.position();
      RETURN_IF_ERROR(source_.Read(content_.data() + at, content_.size() - at).status());
    }
  }
  ASSIGN_OR_RETURN(const uint32_t crc, source_.Crc());
  envelope_ = MakeEnvelope(name_, id_, source_.type(), crc);
  return absl::OkStatus();
}

absl::Status AtOnce::TryOnce() {
  while (true) {
    if (check_existing_) {
      ASSIGN_OR_RETURN(const bool done, target_.AlreadyHasContent(source_));
      if (done) return absl::OkStatus();
      check_existing_ = false;
    }
    const auto response = client_.Send([this] { return MakeRequest(); }, activity_, {412});
    if (!response.ok()) return target_.ClassifyError(response.status());
    check_existing_ = true;
    if (response->status != 412) return target_.CheckStored(response->body, source_);
    // The first conflict is an object to replace, or this upload's own object if the answer was
    // lost.
    if (++conflicts_ == 1) continue;
    const absl::Status busy = absl::UnavailableError("other clients keep writing this object");
    return conflicts_ < kMaxConflicts ? MarkRetryable(busy) : busy;
  }
}

HttpRequest AtOnce::MakeRequest() {
  HttpRequest request;
  request.method = "POST";
  request.url = client_.UploadUrl(name_, "multipart", target_.expected());
  request.headers.Add("Content-Type", "multipart/related; boundary=" + envelope_.boundary);
  request.headers.Add("x-goog-gcs-idempotency-token", id_);
  if (inline_) {
    request.body = absl::StrCat(envelope_.head, content_, envelope_.tail);
    return request;
  }
  envelope_sent_ = 0;
  request.body_bytes = envelope_.head.size() + source_.size() + envelope_.tail.size();
  request.body_source = [this](char* buffer, size_t capacity) { return Read(buffer, capacity); };
  return request;
}

absl::StatusOr<size_t> AtOnce::Read(char* buffer, size_t capacity) {
  if (envelope_sent_ == envelope_.head.size()) {
    ASSIGN_OR_RETURN(const size_t got, source_.Read(buffer, capacity));
    if (got > 0) return got;
  } else if (envelope_sent_ == 0) {
    RETURN_IF_ERROR(source_.Seek(0));
  }
  const bool in_head = envelope_sent_ < envelope_.head.size();
  const std::string& text = in_head ? envelope_.head : envelope_.tail;
  const size_t from = in_head ? envelope_sent_ : envelope_sent_ - envelope_.head.size();
  const size_t count = text.copy(buffer, capacity, from);
  envelope_sent_ += count;
  return count;
}

}  // namespace

absl::StatusOr<GcsObject> UploadAtOnce(GcsClient& client, const GcsName& name,
                                       const GcsContent& content, const Activity& activity) {
  return AtOnce(client, name, content, activity).Run();
}

}  // namespace sparkles
