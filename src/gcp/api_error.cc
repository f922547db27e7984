#include "gcp/api_error.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/json.h"
#include "base/text.h"
#include "gcp/http_date.h"
#include "http/transient.h"

namespace sparkles {
namespace {

// Enough for Google's longest message: an API that is disabled, with project, link and advice.
constexpr size_t kMaxMessageBytes = 600;
// Payloads of the status; Annotate (base/status.h) keeps them.
constexpr char kGooglePayload[] = "sparkles/google";
constexpr char kGrantPayload[] = "sparkles/grant";
constexpr char kPayerPayload[] = "sparkles/payer";
constexpr char kRetainedPayload[] = "sparkles/retained";

// The parts of an error in Google's form. Missing parts are empty.
struct ApiErrorBody {
  std::string message;
  std::string status;   // "ABORTED"
  std::string reasons;  // all machine-readable reasons, separated by spaces
  std::string service;  // "datastore.googleapis.com"
};

// Cloud Storage has the reasons in "errors", the other APIs in "details".
void ReadReasons(const Json& error, ApiErrorBody& body) {
  for (const char* list : {"errors", "details"}) {
    const Json* entries = JsonField(error, list);
    if (entries == nullptr || !entries->is_array()) continue;
    for (const Json& entry : *entries) {
      absl::StrAppend(&body.reasons, JsonText(entry, "reason"), " ");
      const Json* metadata = JsonField(entry, "metadata");
      if (metadata != nullptr && body.service.empty()) {
        body.service = JsonText(*metadata, "service");
      }
    }
  }
}

ApiErrorBody ParseBody(absl::string_view text) {
  ApiErrorBody body;
  const absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) {
    // Media downloads and proxies answer in plain text. An HTML page is not readable in a message.
    if (!absl::StartsWith(absl::StripLeadingAsciiWhitespace(text), "<")) {
      body.message = std::string(text);
    }
    return body;
  }
  const Json* error = JsonField(*json, "error");
  if (error == nullptr || !error->is_object()) return body;
  body.message = JsonText(*error, "message");
  body.status = JsonText(*error, "status");
  ReadReasons(*error, body);
  return body;
}

absl::StatusCode CodeOfHttp(int status) {
  switch (status) {
    case 400:
      return absl::StatusCode::kInvalidArgument;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 409:
      return absl::StatusCode::kAborted;
    case 412:
      return absl::StatusCode::kFailedPrecondition;
    case 416:
      return absl::StatusCode::kOutOfRange;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    case 500:
      return absl::StatusCode::kInternal;
    case 501:
      return absl::StatusCode::kUnimplemented;
    case 502:
    case 503:
      return absl::StatusCode::kUnavailable;
    case 408:
    case 504:
      return absl::StatusCode::kDeadlineExceeded;
    default:
      return absl::StatusCode::kUnknown;
  }
}

// Google's names equal those of absl::StatusCode. CANCELLED is not used, because in the worker it
// means that the worker has to stop.
absl::StatusCode CodeOf(int http_status, absl::string_view google_status) {
  if (google_status == "CANCELLED") return absl::StatusCode::kUnknown;
  for (int i = 1; i <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++i) {
    const auto code = static_cast<absl::StatusCode>(i);
    if (absl::StatusCodeToString(code) == google_status) return code;
  }
  return CodeOfHttp(http_status);
}

// The end of the title of a page of Google's front end: "<title>Error 404 (Not Found)!!1</title>".
// The front end itself answers some requests, for example for a bucket with an invalid name.
constexpr absl::string_view kGooglePage = ")!!1</title>";

// Sometimes a valid request gets the front end's page for 400 too, and succeeds when it is
// repeated.
bool IsFromGooglesFrontEnd(const HttpResponse& response) {
  return response.status != 400 && absl::StrContains(response.body, kGooglePage);
}

// An HTML page or a redirect comes from a proxy or a captive portal and may go away. Pages of the
// metadata server and of Google's front end are real answers.
bool IsFromMiddlebox(const HttpResponse& response) {
  if (response.status < 400) return true;
  const bool page = absl::StartsWith(absl::StripLeadingAsciiWhitespace(response.body), "<");
  return page && response.headers.Find("Metadata-Flavor") == nullptr &&
         !IsFromGooglesFrontEnd(response);
}

bool LacksScope(const HttpResponse& response, const ApiErrorBody& body) {
  const std::string* challenge = response.headers.Find("WWW-Authenticate");
  return absl::StrContains(body.reasons, "ACCESS_TOKEN_SCOPE_INSUFFICIENT") ||
         absl::StrContains(body.message, "insufficient authentication scopes") ||
         (challenge != nullptr && absl::StrContains(*challenge, "insufficient_scope"));
}

bool IsDisabled(const ApiErrorBody& body) {
  return absl::StrContains(body.reasons, "SERVICE_DISABLED") ||
         absl::StrContains(body.reasons, "accessNotConfigured");
}

bool IsAboutBilling(const ApiErrorBody& body) {
  return absl::StrContains(body.reasons, "BILLING_DISABLED") ||
         absl::StrContains(body.reasons, "accountDisabled") ||
         absl::StrContains(absl::AsciiStrToLower(body.message), "billing");
}

// No role allows the replacement or deletion of the object.
bool IsRetained(const ApiErrorBody& body) {
  return absl::StrContains(body.reasons, "retentionPolicyNotMet") ||
         absl::StrContains(body.reasons, "objectUnderActiveHold");
}

bool MayBeGranted(const HttpResponse& response, const ApiErrorBody& body) {
  if (response.status != 403 || LacksScope(response, body)) return false;
  return IsDisabled(body) || !(IsAboutBilling(body) || IsRetained(body));
}

// Matches "Bucket is a requester pays bucket but no user project provided.", reason "required".
bool LacksPayer(const HttpResponse& response, const ApiErrorBody& body) {
  return response.status == 400 &&
         absl::StrContains(absl::AsciiStrToLower(body.message), "requester pays");
}

// The remedy; empty if none is known.
std::string AdviceFor(const HttpResponse& response, const ApiErrorBody& body,
                      absl::string_view roles) {
  if (LacksScope(response, body)) {
    return "the credentials lack the scope https://www.googleapis.com/auth/cloud-platform; a VM "
           "gets its scopes when it is created: create it with --scopes=cloud-platform";
  }
  if (IsDisabled(body)) {
    return absl::StrCat("enable the API: gcloud services enable ",
                        body.service.empty() ? "SERVICE" : PrintableText(body.service));
  }
  if (IsAboutBilling(body)) return "check the billing account of the project";
  if (IsRetained(body)) {
    return "the bucket's retention policy or a hold keeps the object: give the task another "
           "place, or remove the hold";
  }
  if (response.status == 403) {
    return absl::StrCat("the account needs ", roles);
  }
  if (LacksPayer(response, body)) {
    return "set GOOGLE_CLOUD_QUOTA_PROJECT to the project that pays; the account needs "
           "roles/serviceusage.serviceUsageConsumer on it";
  }
  if (response.status == 401) return "the server does not accept the credentials";
  if (response.status == 413 && IsFromMiddlebox(response)) {
    return "a proxy refuses a request of this size: raise its limit, or name the host in NO_PROXY";
  }
  return "";
}

bool IsTransientError(const HttpResponse& response, const ApiErrorBody& body) {
  switch (response.status) {
    case 429:
      // The Datastore emulator's answer to a request that is too large. A retry does not help.
      return !absl::StrContains(body.message, "exceeds maximum size");
    case 408:
    case 499:
      return true;
    case 501:
    case 505:
      return false;
    default:
      return response.status >= 500 || IsFromMiddlebox(response);
  }
}

}  // namespace

absl::Status MakeApiError(const HttpResponse& response, absl::string_view what,
                          const std::vector<std::string>& secrets, absl::string_view roles) {
  ApiErrorBody body = ParseBody(response.body);
  // A server or a proxy may quote the request. At this point the text is neither escaped nor cut,
  // so every secret is found.
  for (const std::string& secret : secrets) {
    if (!secret.empty()) absl::StrReplaceAll({{secret, "[hidden]"}}, &body.message);
  }
  std::string message = absl::StrCat(what, ": HTTP ", response.status);
  const std::string said =
      PrintableText(CutText(absl::StripAsciiWhitespace(body.message), kMaxMessageBytes));
  if (!said.empty()) absl::StrAppend(&message, ": ", said);
  const std::string advice = AdviceFor(response, body, roles);
  if (!advice.empty()) absl::StrAppend(&message, " (", advice, ")");
  absl::StatusCode code = CodeOf(response.status, body.status);
  // Only the service itself knows that something does not exist.
  if (code == absl::StatusCode::kNotFound && IsFromMiddlebox(response)) {
    code = absl::StatusCode::kUnavailable;
  }
  absl::Status error(code, message);
  if (!body.status.empty()) error.SetPayload(kGooglePayload, absl::Cord(body.status));
  if (LacksPayer(response, body)) error.SetPayload(kPayerPayload, absl::Cord("1"));
  if (IsRetained(body)) error.SetPayload(kRetainedPayload, absl::Cord("1"));
  if (MayBeGranted(response, body)) error.SetPayload(kGrantPayload, absl::Cord("1"));
  if (!IsTransientError(response, body)) return error;
  return Transient(std::move(error), /*maybe_applied=*/response.status != 429,
                   ParseRetryAfter(response));
}

bool IsGoogleError(const absl::Status& status) {
  return status.GetPayload(kGooglePayload).has_value();
}

bool RequiresPayer(const absl::Status& status) {
  return status.GetPayload(kPayerPayload).has_value();
}

bool IsForRetention(const absl::Status& status) {
  return status.GetPayload(kRetainedPayload).has_value();
}

bool MayBeGrantedSoon(const absl::Status& status) {
  return status.GetPayload(kGrantPayload).has_value();
}

}  // namespace sparkles
