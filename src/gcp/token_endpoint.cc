#include "gcp/token_endpoint.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "base/text.h"
#include "gcp/api_error.h"
#include "gcp/google_url.h"
#include "gcp/http_date.h"
#include "http/retry.h"
#include "http/transient.h"

namespace sparkles {
namespace {

constexpr int kAttempts = 3;
constexpr absl::Duration kTimeout = absl::Seconds(30);
constexpr size_t kMaxResponseBytes = size_t{256} << 10;
// Google's tokens live at most 12 hours.
constexpr int64_t kLongestLifeSeconds = int64_t{24} * 3600;
constexpr size_t kMaxTokenBytes = size_t{32} << 10;
constexpr size_t kMaxMessageBytes = 600;
// Google refuses assertions if the clock differs by more than a few minutes.
constexpr absl::Duration kNotableSkew = absl::Minutes(1);

std::string ErrorPrefix(const TokenRequest& request) {
  return absl::StrCat("access token of ", request.owner, ": ", UrlAuthority(request.url));
}

void HideSecrets(const std::vector<std::string>& secrets, std::string& text) {
  for (const std::string& secret : secrets) {
    if (secret.empty()) continue;
    absl::StrReplaceAll({{secret, "[secret]"}, {PercentEncode(secret), "[secret]"}}, &text);
  }
}

// Empty if the clocks agree, or if the server does not send its time.
std::string SkewAdvice(const HttpResponse& response, absl::Time now) {
  const std::optional<absl::Time> server = ServerTime(response);
  if (!server) return "";
  const absl::Duration ahead = absl::Trunc(now - *server, absl::Seconds(1));
  if (absl::AbsDuration(ahead) < kNotableSkew) return "";
  return absl::StrCat(
      "the clock of this machine is ", absl::FormatDuration(absl::AbsDuration(ahead)),
      ahead > absl::ZeroDuration() ? " ahead of" : " behind", " the server's: set the clock");
}

bool IsTransientOAuthError(int http_status, absl::string_view error) {
  switch (http_status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return true;
    default:
      return error == "internal_failure" || error == "server_error" ||
             error == "temporarily_unavailable";
  }
}

std::string AdviceFor(const TokenRequest& request, const HttpResponse& response,
                      absl::string_view error, absl::Time now) {
  std::string skew = SkewAdvice(response, now);
  if (!skew.empty()) return skew;
  if (error == "invalid_grant" || error == "invalid_client" || error == "unauthorized_client") {
    return request.refused_advice;
  }
  return "";
}

// `response` must not contain secrets any more.
absl::Status MakeTokenError(const TokenRequest& request, const HttpResponse& response,
                            absl::Time now) {
  const std::string what = ErrorPrefix(request);
  const absl::StatusOr<Json> json = ParseJson(response.body);
  const std::string error = json.ok() ? JsonText(*json, "error") : "";
  if (error.empty())
    return MakeApiError(response, what, request.secrets,
                        request.roles);  // not in OAuth's form
  std::string message = absl::StrCat(what, ": HTTP ", response.status, ": ", error);
  const std::string description = JsonText(*json, "error_description");
  if (!description.empty()) absl::StrAppend(&message, ": ", description);
  HideSecrets(request.secrets, message);  // again, because JSON may have escaped them before
  message = PrintableText(CutText(message, kMaxMessageBytes));
  const std::string advice = AdviceFor(request, response, error, now);
  if (!advice.empty()) absl::StrAppend(&message, " (", advice, ")");
  if (IsTransientOAuthError(response.status, error)) {
    return Transient(absl::UnavailableError(message), /*maybe_applied=*/false,
                     ParseRetryAfter(response));
  }
  return absl::FailedPreconditionError(message);
}

absl::StatusOr<std::string> SendOnce(const TokenRequest& request, HttpTransport& transport,
                                     Clock& clock, const CancelToken& cancel) {
  HttpRequest http;
  http.method = request.method;
  http.url = request.url;
  http.headers = request.headers;
  http.body = request.body;
  http.timeout = kTimeout;
  http.max_body_bytes = kMaxResponseBytes;
  http.bypass_proxy = IsLocalUrl(request.url);
  http.cancel = &cancel;
  absl::StatusOr<HttpResponse> response = transport.Send(http);
  if (!response.ok()) {
    return Annotate(response.status(), absl::StrCat("access token of ", request.owner));
  }
  if (response->status >= 200 && response->status < 300) return std::move(response->body);
  HideSecrets(request.secrets, response->body);
  return MakeTokenError(request, *response, clock.Now());
}

bool FitsHeader(absl::string_view token) {
  return !token.empty() && token.size() <= kMaxTokenBytes &&
         std::all_of(token.begin(), token.end(),
                     [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
}

absl::StatusOr<AccessToken> MakeToken(std::string value, absl::Duration life, absl::Time now) {
  if (!FitsHeader(value)) return absl::InvalidArgumentError("the answer has no access token");
  if (life < absl::Seconds(1)) {
    return absl::InvalidArgumentError("the answer does not say how long the token lives");
  }
  AccessToken token;
  token.value = std::move(value);
  token.expiry = now + std::min(life, absl::Seconds(kLongestLifeSeconds));
  return token;
}

// 0 if `expires_in` is not a usable number. Some servers send it as text.
int64_t LifeSeconds(const Json* expires_in) {
  double seconds = 0;
  if (expires_in == nullptr) return 0;
  if (expires_in->is_number()) seconds = expires_in->get<double>();
  if (expires_in->is_string() &&
      !absl::SimpleAtod(expires_in->get_ref<const std::string&>(), &seconds)) {
    return 0;
  }
  // If `seconds` is NaN, the comparison is false.
  return seconds >= 1 ? static_cast<int64_t>(std::min<double>(seconds, kLongestLifeSeconds)) : 0;
}

}  // namespace

void SetForm(const QueryParameters& fields, TokenRequest& request) {
  request.headers.Add("Content-Type", "application/x-www-form-urlencoded");
  request.body = MakeQuery(fields);
}

absl::StatusOr<std::string> SendTokenRequest(const TokenRequest& request, HttpTransport& transport,
                                             Clock& clock, const CancelToken& cancel) {
  RetryPolicy policy;
  policy.max_elapsed = absl::InfiniteDuration();  // attempts are counted instead
  absl::StatusOr<std::string> body;
  int attempts = 0;
  absl::Status ended = RetryLoop(policy, Idempotency::kIdempotent, clock, cancel, [&] {
    body = SendOnce(request, transport, clock, cancel);
    return Attempt{++attempts < kAttempts ? body.status() : WithoutMarks(body.status())};
  });
  if (cancel.cancelled() && !ended.ok()) return ended;
  return body;
}

absl::StatusOr<AccessToken> FetchToken(const TokenRequest& request, TokenParser parse,
                                       HttpTransport& transport, Clock& clock,
                                       const CancelToken& cancel) {
  const absl::Time asked = clock.Now();
  ASSIGN_OR_RETURN(const std::string body, SendTokenRequest(request, transport, clock, cancel));
  absl::StatusOr<AccessToken> token = parse(body, asked);
  if (!token.ok()) {
    return Transient(
        absl::UnavailableError(absl::StrCat(ErrorPrefix(request), ": ", token.status().message())),
        /*maybe_applied=*/false);
  }
  token->owner = request.owner;
  return token;
}

absl::StatusOr<AccessToken> ParseTokenResponse(absl::string_view body, absl::Time now) {
  const absl::StatusOr<Json> json = ParseJson(body);
  if (!json.ok()) return Annotate(json.status(), "the answer");
  return MakeToken(JsonText(*json, "access_token"),
                   absl::Seconds(LifeSeconds(JsonField(*json, "expires_in"))), now);
}

absl::StatusOr<AccessToken> ParseGeneratedToken(absl::string_view body, absl::Time now) {
  const absl::StatusOr<Json> json = ParseJson(body);
  if (!json.ok()) return Annotate(json.status(), "the answer");
  absl::Time expiry;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, JsonText(*json, "expireTime"), &expiry, &error)) {
    expiry = now;
  }
  return MakeToken(JsonText(*json, "accessToken"), expiry - now, now);
}

}  // namespace sparkles
