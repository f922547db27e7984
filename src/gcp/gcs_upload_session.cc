// UploadResumably of gcp/gcs_upload.h: upload sessions.
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

// The first and three more, whatever became of those before.
constexpr int kMaxSessions = 4;
// So often another object may be in the place that was free a moment ago.
constexpr int kMaxConflicts = 4;
// How often in a row we may send and the server keep nothing new.
constexpr int kMaxFruitless = 5;

// This many 400s in a row end a session; in a second session they end the upload. A 400 may only
// mean that a request came too soon after a broken one.
constexpr int kMaxRefusals = 4;

// All the answers of a session that are not errors of ours or passing trouble.
constexpr auto kAnswers = {308, 404, 409, 410, 412, 499};

// An odd one is no session of Cloud Storage, and nothing could be sent there.
bool IsSessionUrl(absl::string_view url, bool encrypted) {
  return IsHttpUrl(url) && (!encrypted || absl::StartsWith(url, "https://"));
}

// Of the tasks' own making: elsewhere it is the same.
absl::Status Contended() { return absl::UnavailableError("others write this object all the time"); }

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
        client_.Retry(name_, GcsRight::kWrite, activity_, [this] { return Try(); });
    RETURN_IF_ERROR(target_.ExplainEnd(end, conflicts_ > 0));
    return target_.stored();
  }

 private:
  Attempt Try();
  absl::Status Advance();
  absl::StatusOr<bool> LookFirst();
  absl::Status Start();
  absl::StatusOr<bool> AskWhatIsKept();
  absl::Status SendRest();
  absl::StatusOr<bool> Digest(const absl::StatusOr<HttpResponse>& response);
  absl::StatusOr<bool> DigestKept(const HttpHeaders& headers);
  absl::Status Abandon(const absl::Status& why);
  absl::Status MeetConflict();
  absl::Status HandleRefusal(const absl::Status& error);

  GcsClient& client_;
  const GcsName& name_;
  const Activity& activity_;
  GcsSource source_;
  GcsTarget target_;
  const bool hash_first_;
  const std::string id_ = RandomUuid();

  bool look_first_ = true;  // what is in the object's place now?
  bool looked_ = false;     // that was answered once
  std::string uri_;         // of the session; a secret: who has it can write. Empty: none
  int sessions_ = 0;        // begun, without those that met a conflict
  int conflicts_ = 0;
  bool ask_first_ = false;  // how much has the session kept?
  uint64_t kept_ = 0;       // bytes, as the server said last
  uint64_t sent_ = 0;       // bytes that this session may have at most
  uint64_t attempt_sent_ = 0;
  int fruitless_ = 0;  // answers in a row by which nothing more was kept
  int refusals_ = 0;   // 400s since the session last kept more bytes
};

Attempt Session::Try() {
  attempt_sent_ = 0;
  const absl::Status status = Advance();
  return {status, attempt_sent_ >= kGcsProgressBytes && fruitless_ < kMaxFruitless};
}

absl::Status Session::Advance() {
  if (look_first_) {
    ASSIGN_OR_RETURN(const bool done, LookFirst());
    if (done) return absl::OkStatus();
  }
  if (uri_.empty()) {
    RETURN_IF_ERROR(Start());
  } else if (ask_first_) {
    ASSIGN_OR_RETURN(const bool done, AskWhatIsKept());
    if (done) return absl::OkStatus();
  }
  return SendRest();
}

absl::StatusOr<bool> Session::LookFirst() {
  absl::StatusOr<bool> done = target_.Holds(source_);
  // Who may write but not read can still make what is not there yet.
  const bool blind = absl::IsPermissionDenied(done.status()) && !looked_;
  if (!done.ok() && !blind) return done;
  looked_ = true;
  look_first_ = false;
  return done.value_or(false);
}

absl::Status Session::Start() {
  // Not the machine's fault: tasks that write one object fail.
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
  const auto response = client_.SendShort(request, activity_, {412});
  if (!response.ok()) {
    --sessions_;  // there is none: patience is the bound here
    return response.status();
  }
  if (response->status == 412) return MeetConflict();
  const std::string* const location = response->headers.Find("Location");
  if (location == nullptr || !IsSessionUrl(*location, client_.encrypted())) {
    --sessions_;
    return TryAgain(absl::UnavailableError("the server opens no upload session"));
  }
  uri_ = *location;
  ask_first_ = false;
  kept_ = sent_ = 0;
  return absl::OkStatus();
}

absl::StatusOr<bool> Session::AskWhatIsKept() {
  HttpRequest request;
  request.method = "PUT";
  request.url = uri_;
  request.headers.Add("Content-Range", absl::StrCat("bytes */", source_.size()));
  request.headers.Add("Content-Type", source_.type());
  ASSIGN_OR_RETURN(const bool done, Digest(client_.SendShort(request, activity_, kAnswers)));
  if (done) return true;
  if (kept_ < source_.size()) return false;
  return TryAgain(
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
      // Nothing to do but when it is sent once more, with another token.
      if (std::exchange(first, false)) RETURN_IF_ERROR(source_.Seek(kept_));
      ASSIGN_OR_RETURN(const size_t got, source_.Read(buffer, capacity));
      sent_ = std::max(sent_, source_.position());
      attempt_sent_ += got;
      return got;
    };
    return request;
  };
  // Reads before the request opens, because a proxy may end a request that is silent for long.
  RETURN_IF_ERROR(source_.Seek(kept_));
  ask_first_ = true;  // unless all goes well
  ASSIGN_OR_RETURN(const bool done, Digest(client_.Send(make_request, activity_, kAnswers)));
  if (done) return absl::OkStatus();
  return TryAgain(absl::UnavailableError(
      absl::StrCat("the server kept ", kept_, " of ", source_.size(), " bytes")));
}

// True if the object is there; false if kept_ tells what the session has.
absl::StatusOr<bool> Session::Digest(const absl::StatusOr<HttpResponse>& response) {
  if (!response.ok()) {
    absl::Status error = target_.Judge(response.status());
    // Not trouble with the network, but the server's verdict on the bytes: they must all go again.
    if (absl::IsDataLoss(error) && IsTransient(error)) return Abandon(error);
    const bool refused =
        absl::IsInvalidArgument(error) && !IsTransient(error) && !IsMachineFault(error);
    return refused ? HandleRefusal(error) : error;
  }
  switch (response->status) {
    case 308:
      return DigestKept(response->headers);
    case 404:
    case 410:
    case 499:
      return Abandon(absl::UnavailableError(
          absl::StrCat("the upload session has ended (HTTP ", response->status, ")")));
    case 409:
      ask_first_ = true;
      return TryAgain(absl::UnavailableError("the session is busy (HTTP 409)"));
    case 412:
      return MeetConflict();
    default:
      break;
  }
  const absl::Status accepted = target_.Accept(response->body, source_);
  if (accepted.ok()) return true;
  // With an answer that is not readable the session can be asked again.
  return absl::IsDataLoss(accepted) && IsTransient(accepted) ? Abandon(accepted) : accepted;
}

absl::StatusOr<bool> Session::DigestKept(const HttpHeaders& headers) {
  const std::optional<uint64_t> kept = ParseKeptBytes(headers);
  if (!kept.has_value() || *kept > sent_ || *kept < kept_) {
    return Abandon(absl::DataLossError("the server does not know what it has kept"));
  }
  fruitless_ = *kept > kept_ ? 0 : fruitless_ + 1;
  if (*kept > kept_) refusals_ = 0;
  kept_ = *kept;
  ask_first_ = kept_ == source_.size();  // then there is nothing to send
  return false;
}

// Forgets the session; the next attempt begins a new one, from the first byte.
absl::Status Session::Abandon(const absl::Status& why) {
  uri_.clear();
  if (sessions_ < kMaxSessions) return TryAgain(why);
  return MachineFault(WithMessage(
      Unmarked(why), absl::StrCat(why.message(), " (", sessions_, " upload sessions)")));
}

// Asks for the session's state after a wait, since the refusal may be transient.
absl::Status Session::HandleRefusal(const absl::Status& error) {
  ask_first_ = true;
  if (++refusals_ % kMaxRefusals != 0) return TryAgain(error);
  return refusals_ == kMaxRefusals ? Abandon(error) : error;
}

// The object has changed: another client wrote it, or an earlier session of this upload did and its
// answer was lost. This is checked first.
absl::Status Session::MeetConflict() {
  uri_.clear();
  --sessions_;  // it did not die
  ++conflicts_;
  look_first_ = true;
  return TryAgain(Contended());
}

}  // namespace

absl::StatusOr<GcsObject> UploadResumably(GcsClient& client, const GcsName& name,
                                          const GcsContent& content, const Activity& activity,
                                          uint64_t hash_first_bytes) {
  return Session(client, name, content, activity, hash_first_bytes).Run();
}

}  // namespace sparkles
