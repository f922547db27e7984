#include "gcp/gcs_client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "gcp/api_error.h"
#include "http/transient.h"
#include "http/url.h"

namespace sparkles {
namespace {

// Long enough for a server that completes a large object, and short compared to the retry time.
constexpr absl::Duration kStallTimeout = absl::Seconds(60);
constexpr absl::Duration kShortRequestTimeout = absl::Seconds(60);

// BUCKET of ".../storage/v1/b/BUCKET/o...". Empty for the URL of an upload session, which needs no
// permission. Bucket names need no decoding.
std::string BucketOf(absl::string_view url) {
  constexpr absl::string_view kBefore = "/storage/v1/b/";
  const size_t before = url.find(kBefore);
  if (before == absl::string_view::npos || absl::StrContains(url, "upload_id=")) return "";
  url.remove_prefix(before + kBefore.size());
  return std::string(url.substr(0, url.find('/')));
}

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

bool GcsClient::IsApiServer(absl::string_view url) const {
  return absl::StartsWith(url, api_.base_url() + "/");
}

absl::StatusOr<HttpResponse> GcsClient::Send(const std::function<HttpRequest()>& make_request,
                                             const Activity& activity,
                                             std::initializer_list<int> also_good) {
  std::string bucket;
  std::string payer;
  GcsRight right = GcsRight::kRead;
  bool granted = false;
  const auto grant = [&] {
    if (access_ == nullptr || bucket.empty() || std::exchange(granted, true)) return;
    access_->NoteGranted(bucket, right);
  };
  const auto make = [&] {
    HttpRequest request = make_request();
    request.on_progress = [&activity] { return activity.ReportWait(); };
    request.stall_timeout = kStallTimeout;
    bucket = BucketOf(request.url);
    right = request.method == "GET" ? GcsRight::kRead : GcsRight::kWrite;
    payer = access_ != nullptr ? access_->PayerOf(bucket) : "";
    if (!payer.empty()) absl::StrAppend(&request.url, "&userProject=", PercentEncode(payer));
    if (!request.on_body) return request;
    // A reader may end the response before all of it has come.
    request.on_body = [grant, sink = std::move(request.on_body)](const HttpResponse& response,
                                                                 absl::string_view piece) {
      grant();
      return sink(response, piece);
    };
    return request;
  };
  absl::StatusOr<HttpResponse> response = api_.SendOnce(make, activity.cancel(), also_good);
  const bool unpaid = RequiresPayer(response.status()) && payer.empty() && access_ != nullptr;
  if (unpaid && access_->FindPayerFor(bucket, activity.cancel())) {
    response = api_.SendOnce(make, activity.cancel(), also_good);
  }
  // The server reports a failed precondition only to an account with the right.
  if (response.ok()) grant();
  return response;
}

absl::StatusOr<HttpResponse> GcsClient::SendSmall(const HttpRequest& request,
                                                  const Activity& activity,
                                                  std::initializer_list<int> also_good) {
  const auto make = [&] {
    HttpRequest copy = request;
    copy.timeout = std::min(copy.timeout, kShortRequestTimeout);
    return copy;
  };
  return Send(make, activity, also_good);
}

absl::StatusOr<std::optional<GcsObject>> GcsClient::GetMetadata(const GcsName& name,
                                                                const Activity& activity) {
  HttpRequest request;
  request.url = ObjectUrl(name) + "?fields=size,generation,crc32c,contentEncoding";
  request.accept_compressed = true;
  const absl::StatusOr<HttpResponse> response = SendSmall(request, activity);
  if (absl::IsNotFound(response.status())) return std::nullopt;
  RETURN_IF_ERROR(response.status());
  const absl::StatusOr<GcsObject> object = ParseGcsObject(response->body);
  if (!object.ok()) return MarkRetryable(object.status());
  return *object;
}

absl::StatusOr<std::vector<std::string>> GcsClient::TestPermissions(
    const std::string& bucket, const std::vector<std::string>& permissions,
    const Activity& activity) {
  QueryParameters query;
  for (const std::string& permission : permissions) query.emplace_back("permissions", permission);
  HttpRequest request;
  request.url = absl::StrCat(api_.base_url(), "/storage/v1/b/", PercentEncode(bucket),
                             "/iam/testPermissions?", MakeQuery(query));
  request.accept_compressed = true;
  ASSIGN_OR_RETURN(const HttpResponse response, SendSmall(request, activity));
  ASSIGN_OR_RETURN(const Json json, ParseJson(response.body));
  std::vector<std::string> granted;
  const Json* const list = JsonField(json, "permissions");
  if (list == nullptr || !list->is_array()) return granted;
  for (const Json& permission : *list) {
    if (permission.is_string()) granted.push_back(permission.get<std::string>());
  }
  return granted;
}

absl::Status GcsClient::Delete(const GcsName& name, int64_t generation, const Activity& activity) {
  HttpRequest request;
  request.method = "DELETE";
  request.url = absl::StrCat(ObjectUrl(name), "?ifGenerationMatch=", generation);
  return SendSmall(request, activity).status();
}

absl::Status GcsClient::Remove(const GcsName& name, int64_t generation, const Activity& activity) {
  const absl::Status removed =
      RetryLoop(policy_, Idempotency::kIdempotent, clock_, activity.cancel(), [&]() -> Attempt {
        const absl::Status sent = Delete(name, generation, activity);
        const bool replaced = absl::IsFailedPrecondition(sent);
        const bool gone = absl::IsNotFound(sent) && !IsTransient(sent);
        return {replaced || gone ? absl::OkStatus() : sent};
      });
  return IsTransient(removed) ? MachineFault(removed) : removed;
}

absl::StatusOr<std::string> GcsClient::GetPage(const std::string& bucket, const std::string& prefix,
                                               int size, const std::string& token,
                                               const Activity& activity, ReadPage read) {
  HttpRequest request;
  request.url = absl::StrCat(
      api_.base_url(), "/storage/v1/b/", PercentEncode(bucket), "/o?prefix=", PercentEncode(prefix),
      "&delimiter=%2F&maxResults=", size, "&fields=items(name,generation),nextPageToken");
  if (!token.empty()) absl::StrAppend(&request.url, "&pageToken=", PercentEncode(token));
  request.accept_compressed = true;
  absl::StatusOr<std::string> next;
  const absl::Status got =
      RetryLoop(policy_, Idempotency::kIdempotent, clock_, activity.cancel(), [&]() -> Attempt {
        const absl::StatusOr<HttpResponse> response = SendSmall(request, activity);
        if (!response.ok()) return {response.status()};
        next = read(response->body);
        return {next.status()};
      });
  if (!got.ok()) return IsTransient(got) ? MachineFault(got) : got;
  return next;
}

absl::Status GcsClient::Retry(const GcsName& name, GcsRight right, const Activity& activity,
                              absl::FunctionRef<Attempt()> attempt) {
  return AwaitGrant(name, right, activity, [&] {
    absl::Status status =
        RetryLoop(policy_, Idempotency::kIdempotent, clock_, activity.cancel(), attempt);
    // An error that outlasts all retries comes from the network or the service, so the task is
    // handed back.
    return IsTransient(status) ? MachineFault(std::move(status)) : status;
  });
}

absl::Status GcsClient::AwaitGrant(const GcsName& name, GcsRight right, const Activity& activity,
                                   absl::FunctionRef<absl::Status()> transfer) {
  while (true) {
    const absl::Status status = transfer();
    if (!absl::IsPermissionDenied(status) || IsTransient(status)) return status;
    std::optional<absl::Duration> wait;
    if (access_ != nullptr) wait = access_->NextRetryWait(name.bucket, right, status);
    if (!wait.has_value()) return ExplainRefusal(status, name.bucket, right);
    if (!clock_.Sleep(*wait, activity.cancel())) {
      return absl::CancelledError(activity.cancel().reason());
    }
  }
}

absl::Status MarkRetryable(absl::Status status) {
  return Transient(std::move(status), /*maybe_applied=*/true);
}

}  // namespace sparkles
