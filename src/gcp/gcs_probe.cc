#include "gcp/gcs_probe.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "http/transient.h"

namespace sparkles {
namespace {

// If the server does not answer in this time, the upload will show whether it is allowed.
constexpr absl::Duration kProbeTimeout = absl::Seconds(10);

// The reason why the object of this JSON resource must stay; empty if it may be replaced.
std::string DescribeHold(absl::string_view resource, absl::Time now) {
  const absl::StatusOr<Json> json = ParseJson(resource);
  if (!json.ok() || !json->is_object()) return "";
  for (const char* hold : {"temporaryHold", "eventBasedHold"}) {
    const Json* const held = JsonField(*json, hold);
    if (held != nullptr && held->is_boolean() && held->get<bool>()) return hold;
  }
  const std::string until = JsonText(*json, "retentionExpirationTime");
  absl::Time end;
  const bool kept = absl::ParseTime(absl::RFC3339_full, until, &end, nullptr) && end > now;
  return kept ? absl::StrCat("the bucket's retention policy, until ", PrintableText(until)) : "";
}

}  // namespace

absl::Status ProbeWrite(GcsClient& client, const GcsName& name, const Activity& activity) {
  std::string session;
  const absl::Status status = client.AwaitGrant(name, GcsRight::kWrite, activity, [&] {
    HttpRequest request;
    request.method = "POST";
    request.url = client.UploadUrl(name, "resumable", /*expected=*/0);
    request.headers.Add("Content-Type", "application/json; charset=UTF-8");
    request.body = "{}";
    request.timeout = kProbeTimeout;
    const absl::StatusOr<HttpResponse> response = client.SendSmall(request, activity);
    const std::string* const location =
        response.ok() ? response->headers.Find("Location") : nullptr;
    if (location != nullptr) session = *location;
    // A new object would be accepted; the upload itself reports what happens to this one.
    return IsRefusalToReplace(response.status()) ? absl::OkStatus() : response.status();
  });
  if (absl::IsCancelled(status)) return status;
  const bool refused = absl::IsPermissionDenied(status) || absl::IsNotFound(status);
  if (refused && !IsTransient(status)) return status;
  // A session that is not cancelled ends by itself after a week.
  if (!client.IsApiServer(session)) return absl::OkStatus();
  HttpRequest request;
  request.method = "DELETE";
  request.url = session;
  request.timeout = kProbeTimeout;
  const absl::Status cancelled = client.SendSmall(request, activity, {499}).status();
  return absl::IsCancelled(cancelled) ? cancelled : absl::OkStatus();
}

absl::Status ProbeReplace(GcsClient& client, const GcsName& name, const Activity& activity) {
  HttpRequest request;
  request.url =
      client.ObjectUrl(name) + "?fields=temporaryHold,eventBasedHold,retentionExpirationTime";
  request.timeout = kProbeTimeout;
  const absl::StatusOr<HttpResponse> response = client.SendSmall(request, activity);
  if (absl::IsCancelled(response.status())) return response.status();
  if (!response.ok()) return absl::OkStatus();
  const std::string hold = DescribeHold(response->body, client.Now());
  if (hold.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the object of an earlier attempt cannot be replaced, because of ", hold,
                   "; remove the hold, or give the task another place"));
}

}  // namespace sparkles
