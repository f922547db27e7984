// Implements UploadResumably (gcp/gcs_upload.h) with upload sessions.
// Only the server knows which bytes it has kept. After each break the worker asks the server, and
// checks the answer against the bytes sent and against earlier answers.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "gcp/gcs_target.h"
#include "gcp/gcs_upload.h"
#include "gcp/random_id.h"
#include "http/transient.h"
#include "http/url.h"

namespace sparkles {
namespace {

// Sessions of one upload, without those that met a conflict.
constexpr int kMaxSessions = 4;
// Ends the upload if other clients keep replacing the object.
constexpr int kMaxConflicts = 4;
// An attempt after this number of answers in a row without new bytes is no progress.
constexpr int kMaxFruitless = 5;

// This many 400s in a row end a session; in a second session they end the upload. A 400 may only
// mean that a request came too soon after a broken one.
constexpr int kMaxRefusals = 4;

// The statuses with which a session answers. All others are errors.
constexpr auto kAnswers = {308, 404, 409, 410, 412, 499};

// False for a URL that cannot be a session of Cloud Storage.
bool IsSessionUrl(absl::string_view url, bool encrypted) {
  return IsHttpUrl(url) && (!encrypted || absl::StartsWith(url, "https://"));
}

// No machine fault, because other tasks write this object.
absl::Status Contended() {
  return absl::UnavailableError("other clients keep writing this object");
}

class Session {
 public:
  Session(GcsClient& client, const GcsName& name, const GcsContent& content,
          const Activity& activity, uint64_t hash_first_bytes)
      : client_(client),
        name_(name),
        activity_(activity),
        source_(content, activity),
        target_(client, name, content, activity),
        hash_first_(content.size <= hash_first_bytes) {}

  absl::StatusOr<GcsObject> Run() {
    const absl::Status end =
        client_.Retry(name_, GcsRight::kWrite, activity_, [this] { return TryOnce(); });
    RETURN_IF_ERROR(target_.ExplainFinalStatus(end, conflicts_ > 0));
    return target_.stored();
  }

 private:
  Attempt TryOnce();
  absl::Status Advance();
  absl::StatusOr<bool> CheckExisting();
  absl::Status Start();
  absl::StatusOr<bool> QueryKeptBytes();
  absl::Status SendRest();
  absl::StatusOr<bool> HandleResponse(const absl::StatusOr<HttpResponse>& response);
  absl::StatusOr<bool> HandleKeptBytes(const HttpHeaders& headers);
  absl::Status EndSession(const absl::Status& why);
  absl::Status HandleConflict();
  absl::Status HandleRefusal(const absl::Status& error);

  GcsClient& client_;
  const GcsName& name_;
  const Activity& activity_;
  GcsSource source_;
  GcsTarget target_;
  const bool hash_first_;
  const std::string id_ = RandomUuid();

  bool check_existing_ = true;     // the next attempt looks for an existing object
  bool existing_checked_ = false;  // the server has answered that once
  std::string uri_;   // of the session; a secret, because it allows writes; may be empty
  int sessions_ = 0;  // begun, without those that met a conflict
  int conflicts_ = 0;
  bool query_first_ = false;  // the next attempt asks how many bytes the session has kept
  uint64_t kept_ = 0;         // bytes, by the last answer of the server
  uint64_t sent_ = 0;         // bytes that were sent in this session
  uint64_t attempt_sent_ = 0;
  int fruitless_ = 0;  // answers in a row without newly kept bytes
  int refusals_ = 0;   // 400s since the session last kept more bytes
};

Attempt Session::TryOnce() {
  attempt_sent_ = 0;
  const absl::Status status = Advance();
  return {status, attempt_sent_ >= kGcsProgressBytes && fruitless_ < kMaxFruitless};
}

absl::Status Session::Advance() {
  if (check_existing_) {
    ASSIGN_OR_RETURN(const bool done, CheckExisting());
    if (done) return absl::OkStatus();
  }
  if (uri_.empty()) {
    RETURN_IF_ERROR(Start());
  } else if (query_first_) {
    ASSIGN_OR_RETURN(const bool done, QueryKeptBytes());
    if (done) return absl::OkStatus();
  }
  return SendRest();
}

absl::StatusOr<bool> Session::CheckExisting() {
  absl::StatusOr<bool> done = target_.AlreadyHasContent(source_);
  // An account that may not read can still make a new object.
  const bool blind = absl::IsPermissionDenied(done.status()) && !existing_checked_;
  if (!done.ok() && !blind) return done;
  existing_checked_ = true;
  check_existing_ = false;
  return done.value_or(false);
}

absl::Status Session::Start() {
  if (conflicts_ == kMaxConflicts) return Contended();
  ++sessions_;
  Json metadata = {{"name", name_.object}, {"contentType", source_.type()}};
  if (hash_first_) {
    ASSIGN_OR_RETURN(const uint32_t crc, source_.Crc());
    metadata["crc32c"] = FormatCrc32c(crc);
  }
  HttpRequest request;
  request.method = "POST";
  request.url = client_.UploadUrl(name_, "resumable", target_.expected());
  request.headers.Add("Content-Type", "application/json; charset=UTF-8");
  request.headers.Add("X-Upload-Content-Type", source_.type());
  request.headers.Add("X-Upload-Content-Length", absl::StrCat(source_.size()));
  request.headers.Add("x-goog-gcs-idempotency-token", id_);
  request.body = DumpJson(metadata);
  const auto response = client_.SendSmall(request, activity_, {412});
  if (!response.ok()) {
    --sessions_;  // no session was made; the retry loop has its own limit
    return response.status();
  }
  if (response->status == 412) return HandleConflict();
  const std::string* const location = response->headers.Find("Location");
  if (location == nullptr || !IsSessionUrl(*location, client_.encrypted())) {
    --sessions_;
    return MarkRetryable(absl::UnavailableError("the server has opened no upload session"));
  }
  uri_ = *location;
  query_first_ = false;
  kept_ = sent_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<bool> Session::QueryKeptBytes() {
  HttpRequest request;
  request.method = "PUT";
  request.url = uri_;
  request.headers.Add("Content-Range", absl::StrCat("bytes */", source_.size()));
  request.headers.Add("Content-Type", source_.type());
  ASSIGN_OR_RETURN(const bool done,
                   HandleResponse(client_.SendSmall(request, activity_, kAnswers)));
  if (done) return true;
  if (kept_ < source_.size()) return false;
  return MarkRetryable(
      absl::UnavailableError("the server has all bytes, but has not made the object yet"));
}

absl::Status Session::SendRest() {
  const auto make_request = [this] {
    HttpRequest request;
    request.method = "PUT";
    request.url = uri_;
    request.headers.Add("Content-Range", absl::StrCat("bytes ", kept_, "-", source_.size() - 1, "/",
                                                      source_.size()));
    request.headers.Add("Content-Type", source_.type());
    request.body_bytes = source_.size() - kept_;
    request.body_source = [this, first = true](char* buffer,
                                               size_t capacity) mutable -> absl::StatusOr<size_t> {
      // Has an effect only if the request is sent again with another token.
      if (std::exchange(first, false)) RETURN_IF_ERROR(source_.Seek(kept_));
      ASSIGN_OR_RETURN(const size_t got, source_.Read(buffer, capacity));
      sent_ = std::max(sent_, source_.position());
      attempt_sent_ += got;
      return got;
    };
    return request;
  };
  // Reads before the request, because a proxy may end a request that sends nothing for long.
  RETURN_IF_ERROR(source_.Seek(kept_));
  query_first_ = true;  // if this request fails
  ASSIGN_OR_RETURN(const bool done,
                   HandleResponse(client_.Send(make_request, activity_, kAnswers)));
  if (done) return absl::OkStatus();
  return MarkRetryable(absl::UnavailableError(
      absl::StrCat("the server kept ", kept_, " of ", source_.size(), " bytes")));
}

// True if the object was made. False if kept_ has the number of bytes in the session.
absl::StatusOr<bool> Session::HandleResponse(const absl::StatusOr<HttpResponse>& response) {
  if (!response.ok()) {
    absl::Status error = target_.ClassifyError(response.status());
    // The server has found a wrong checksum, so all bytes must be sent again.
    if (absl::IsDataLoss(error) && IsTransient(error)) return EndSession(error);
    const bool refused =
        absl::IsInvalidArgument(error) && !IsTransient(error) && !IsMachineFault(error);
    return refused ? HandleRefusal(error) : error;
  }
  switch (response->status) {
    case 308:
      return HandleKeptBytes(response->headers);
    case 404:
    case 410:
    case 499:
      return EndSession(absl::UnavailableError(
          absl::StrCat("the upload session has ended (HTTP ", response->status, ")")));
    case 409:
      query_first_ = true;
      return MarkRetryable(absl::UnavailableError("the session is busy (HTTP 409)"));
    case 412:
      return HandleConflict();
    default:
      break;
  }
  const absl::Status accepted = target_.CheckStored(response->body, source_);
  if (accepted.ok()) return true;
  // After an answer that is not readable, the session can be queried.
  return absl::IsDataLoss(accepted) && IsTransient(accepted) ? EndSession(accepted) : accepted;
}

absl::StatusOr<bool> Session::HandleKeptBytes(const HttpHeaders& headers) {
  const std::optional<uint64_t> kept = ParseKeptBytes(headers);
  if (!kept.has_value() || *kept > sent_ || *kept < kept_) {
    return EndSession(absl::DataLossError("the server's number of kept bytes is not possible"));
  }
  fruitless_ = *kept > kept_ ? 0 : fruitless_ + 1;
  if (*kept > kept_) refusals_ = 0;
  kept_ = *kept;
  query_first_ = kept_ == source_.size();  // nothing is left to send
  return false;
}

// Forgets the session. The next attempt begins a new session with the first byte.
absl::Status Session::EndSession(const absl::Status& why) {
  uri_.clear();
  if (sessions_ < kMaxSessions) return MarkRetryable(why);
  return MachineFault(WithMessage(
      WithoutMarks(why), absl::StrCat(why.message(), " (", sessions_, " upload sessions)")));
}

// Lets the next attempt query the session, because the refusal may be transient.
absl::Status Session::HandleRefusal(const absl::Status& error) {
  query_first_ = true;
  if (++refusals_ % kMaxRefusals != 0) return MarkRetryable(error);
  return refusals_ == kMaxRefusals ? EndSession(error) : error;
}

// The object has changed: another client wrote it, or an earlier session of this upload, whose
// answer was lost. The next attempt finds out which.
absl::Status Session::HandleConflict() {
  uri_.clear();
  --sessions_;  // conflicts have their own limit
  ++conflicts_;
  check_existing_ = true;
  return MarkRetryable(Contended());
}

}  // namespace

absl::StatusOr<GcsObject> UploadResumably(GcsClient& client, const GcsName& name,
                                          const GcsContent& content, const Activity& activity,
                                          uint64_t hash_first_bytes) {
  return Session(client, name, content, activity, hash_first_bytes).Run();
}

}  // namespace sparkles
