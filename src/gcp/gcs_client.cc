#include "gcp/gcs_client.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "http/transient.h"
#include "http/url.h"

namespace sparkles {
namespace {

// Long enough for a server that puts a large object together, short against our patience.
constexpr absl::Duration kStallTimeout = absl::Seconds(60);
constexpr absl::Duration kShortRequestTimeout = absl::Seconds(60);

}  // namespace

std::string GcsClient::ObjectUrl(const GcsName& name) const {
  return absl::StrCat(api_.base_url(), "/storage/v1/b/", PercentEncode(name.bucket), "/o/",
                      PercentEncode(name.object));
}

std::string GcsClient::UploadUrl(const GcsName& name, const char* type, int64_t expected) const {
  return absl::StrCat(api_.base_url(), "/upload/storage/v1/b/", PercentEncode(name.bucket),
                      "/o?uploadType=", type, "&name=", PercentEncode(name.object),
                      "&ifGenerationMatch=", expected);
}

bool GcsClient::encrypted() const { return absl::StartsWith(api_.base_url(), "https://"); }

absl::StatusOr<HttpResponse> GcsClient::Send(const std::function<HttpRequest()>& make_request,
                                             const GcsCall& call,
                                             std::initializer_list<int> also_good) {
  const auto make = [&] {
    HttpRequest request = make_request();
    request.on_progress = [&call] { return call.report(0); };
    request.stall_timeout = kStallTimeout;
    return request;
  };
  return api_.SendOnce(make, call.cancel, also_good);
}

absl::StatusOr<HttpResponse> GcsClient::SendShort(const HttpRequest& request, const GcsCall& call,
                                                  std::initializer_list<int> also_good) {
  const auto make = [&] {
    HttpRequest copy = request;
    copy.timeout = kShortRequestTimeout;
    return copy;
  };
  return Send(make, call, also_good);
}

absl::StatusOr<std::optional<GcsObject>> GcsClient::GetMetadata(const GcsName& name,
                                                                const GcsCall& call) {
  HttpRequest request;
  request.url = ObjectUrl(name) + "?fields=size,generation,crc32c,contentEncoding";
  request.accept_compressed = true;
  const absl::StatusOr<HttpResponse> response = SendShort(request, call);
  if (absl::IsNotFound(response.status())) return std::nullopt;
  RETURN_IF_ERROR(response.status());
  const absl::StatusOr<GcsObject> object = ParseGcsObject(response->body);
  if (!object.ok()) return TryAgain(object.status());
  return *object;
}

absl::Status GcsClient::Delete(const GcsName& name, int64_t generation, const GcsCall& call) {
  HttpRequest request;
  request.method = "DELETE";
  request.url = absl::StrCat(ObjectUrl(name), "?ifGenerationMatch=", generation);
  return SendShort(request, call).status();
}

absl::Status GcsClient::Retry(const GcsCall& call, absl::FunctionRef<Attempt()> attempt) {
  absl::Status status = RetryLoop(policy_, Idempotency::kIdempotent, clock_, call.cancel, attempt);
  // Trouble that outlasted all patience is that of this machine's network or of the service, not
  // the task's: it is to be handed back.
  return IsTransient(status) ? MachineFault(std::move(status)) : status;
}

absl::Status TryAgain(absl::Status status) {
  return Transient(std::move(status), /*maybe_applied=*/true);
}

}  // namespace sparkles
