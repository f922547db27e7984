#include "gcp/api_client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "gcp/api_error.h"
#include "gcp/google_url.h"
#include "gcp/random_id.h"
#include "http/transient.h"
#include "http/url.h"

namespace sparkles {
namespace {

// A problem with the credentials is a machine fault and not an answer of the service. The error
// gets another code, so that callers do not take it for such an answer. The request was not sent.
absl::Status CredentialsError(const absl::Status& status) {
  if (absl::IsCancelled(status)) return status;
  absl::Status error = absl::UnavailableError(status.message());
  if (!IsTransient(status)) return MachineFault(std::move(error));
  return Transient(std::move(error), /*maybe_applied=*/false, RetryAfter(status));
}

// The texts that no message may contain: the token, and the id of an upload session. The id alone
// gives write access to the session.
std::vector<std::string> SecretsOf(const HttpRequest& request, const AccessToken* token) {
  std::vector<std::string> secrets;
  if (token != nullptr) secrets.push_back(token->value);
  const std::vector<std::string> session = absl::StrSplit(request.url, "upload_id=");
  if (session.size() == 2) secrets.push_back(session[1].substr(0, session[1].find('&')));
  return secrets;
}

}  // namespace

std::string EmulatorUrl(absl::string_view value) {
  value = absl::StripAsciiWhitespace(value);
  while (absl::ConsumeSuffix(&value, "/")) {
  }
  return absl::StrContains(value, "://") ? std::string(value) : absl::StrCat("http://", value);
}

ApiEndpoint EndpointOf(absl::string_view url, const Environment& environment, const char* variable,
                       TokenSource& tokens) {
  const std::string value = environment(variable);
  if (value.empty()) return {.base_url = std::string(url), .tokens = &tokens};
  ApiEndpoint emulator{.base_url = EmulatorUrl(value), .tokens = nullptr};
  if (!IsHttpUrl(emulator.base_url)) {
    emulator.unusable = MachineFault(absl::FailedPreconditionError(
        absl::StrCat(variable, ": is not the address of a server; set it to HOST:PORT")));
  }
  return emulator;
}

struct ApiClient::Call {
  const std::function<HttpRequest()>& make_request;
  const CancelToken& cancel;
  const std::initializer_list<int> also_good;
  const std::string id = RandomUuid();
  int sendings = 0;
};

ApiClient::ApiClient(ApiEndpoint endpoint, HttpTransport& transport, Clock& clock)
    : endpoint_(std::move(endpoint)),
      host_(UrlAuthority(endpoint_.base_url)),
      transport_(transport),
      clock_(clock) {}

absl::StatusOr<HttpResponse> ApiClient::SendOnce(const std::function<HttpRequest()>& make_request,
                                                 const CancelToken& cancel,
                                                 std::initializer_list<int> also_good) {
  Call call{make_request, cancel, also_good};
  return SendAttempt(call);
}

absl::StatusOr<HttpResponse> ApiClient::Send(const std::function<HttpRequest()>& make_request,
                                             const RetryPolicy& policy, Idempotency idempotency,
                                             const CancelToken& cancel,
                                             std::initializer_list<int> also_good) {
  Call call{make_request, cancel, also_good};
  absl::StatusOr<HttpResponse> response;
  RetryPolicy counted = policy;
  counted.retries = endpoint_.retries;
  RETURN_IF_ERROR(RetryLoop(counted, idempotency, clock_, cancel, [&] {
    response = SendAttempt(call);
    return Attempt{response.status()};
  }));
  return response;
}

absl::StatusOr<HttpResponse> ApiClient::SendAttempt(Call& call) {
  RETURN_IF_ERROR(endpoint_.unusable);
  if (endpoint_.tokens == nullptr) {
    ASSIGN_OR_RETURN(HttpResponse response, SendWith(nullptr, call));
    return response;
  }
  // A token can be revoked before it expires, so a first 401 is tried again with a new token.
  for (bool fresh = false;; fresh = true) {
    absl::StatusOr<AccessToken> token = endpoint_.tokens->Get(call.cancel);
    if (!token.ok()) return CredentialsError(token.status());
    absl::StatusOr<HttpResponse> response = SendWith(&*token, call);
    if (!absl::IsUnauthenticated(response.status())) return response;
    endpoint_.tokens->Invalidate(*token);
    if (fresh) return MachineFault(response.status());
  }
}

// Sends no token if `token` is null.
absl::StatusOr<HttpResponse> ApiClient::SendWith(const AccessToken* token, Call& call) {
  HttpRequest request = call.make_request();
  if (request.cancel == nullptr) request.cancel = &call.cancel;
  // Google's own client libraries use this form to number the sendings of one call.
  request.headers.Add("x-goog-api-client",
                      absl::StrCat("gl-cpp/20 sparklesworker gccl-invocation-id/", call.id,
                                   " gccl-attempt-count/", ++call.sendings));
  if (token != nullptr && absl::StartsWith(request.url, endpoint_.base_url + "/")) {
    request.headers.Add("Authorization", "Bearer " + token->value);
    if (!token->quota_project.empty()) {
      request.headers.Add("X-Goog-User-Project", token->quota_project);
    }
  }
  ASSIGN_OR_RETURN(HttpResponse response, transport_.Send(request));
  const bool good = response.status >= 200 && response.status < 300;
  if (good || std::find(call.also_good.begin(), call.also_good.end(), response.status) !=
                  call.also_good.end()) {
    return response;
  }
  return ErrorOf(request, response, token);
}

absl::Status ApiClient::ErrorOf(const HttpRequest& request, const HttpResponse& response,
                                const AccessToken* token) const {
  absl::Status error = MakeApiError(response, host_, SecretsOf(request, token), endpoint_.roles);
  const bool refused = response.status == 401 || response.status == 403;
  if (!refused || token == nullptr || token->owner.empty()) return error;
  return WithMessage(error, absl::StrCat(error.message(), " [asked as ", token->owner, "]"));
}

}  // namespace sparkles
