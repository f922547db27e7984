// Sends requests to a Google API: adds the token, translates errors, and retries.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/worker_metrics.h"
#include "gcp/environment.h"
#include "gcp/token_source.h"
#include "http/retry.h"
#include "http/transport.h"

namespace sparkles {

struct ApiEndpoint {
  // "https://storage.googleapis.com", or the URL of an emulator; without a slash at the end.
  std::string base_url;
  TokenSource* tokens = nullptr;  // borrowed; null for an emulator: no Authorization header
  Counter* retries = nullptr;     // borrowed, may be null: counts the retries of Send
  absl::Status unusable = {};     // if not ok, no request is sent and Send returns this
  std::string roles = "roles/datastore.user and roles/storage.objectUser";  // advice for a 403
};

// "http://host:port" for the value of an emulator variable. The value may have white space around
// it, lack the scheme, or end in "/".
std::string EmulatorUrl(absl::string_view value);

// The endpoint of `url`, or of the emulator if the variable `variable` is set. If its value is not
// an address, the endpoint is unusable: a machine fault. Borrows `tokens`.
ApiEndpoint EndpointOf(absl::string_view url, const Environment& environment, const char* variable,
                       TokenSource& tokens);

// Thread-safe.
class ApiClient {
 public:
  // Borrows everything that `endpoint` points to, `transport` and `clock`.
  ApiClient(ApiEndpoint endpoint, HttpTransport& transport, Clock& clock);

  const std::string& base_url() const { return endpoint_.base_url; }
  Clock& clock() const { return clock_; }

  // Makes one attempt. Adds the headers for authorization and x-goog-api-client, and the quota
  // project if the token has one. After a 401 drops the token and sends again with a new one.
  // Returns a response with status 2xx or a status in `also_good`. Other statuses become the error
  // of MakeApiError, with the server's name; a 401 and a 403 also name the token's owner. If there
  // is no token, the error is Unavailable: transient if the cause may pass, otherwise a machine
  // fault.
  // Calls `make_request` each time the request is sent. A URL outside base_url gets no token,
  // because an upload session may be on another host.
  absl::StatusOr<HttpResponse> SendOnce(const std::function<HttpRequest()>& make_request,
                                        const CancelToken& cancel,
                                        std::initializer_list<int> also_good = {});

  // The same with retries.
  absl::StatusOr<HttpResponse> Send(const std::function<HttpRequest()>& make_request,
                                    const RetryPolicy& policy, Idempotency idempotency,
                                    const CancelToken& cancel,
                                    std::initializer_list<int> also_good = {});

 private:
  struct Call;  // shared by all sendings of one call

  absl::StatusOr<HttpResponse> SendAttempt(Call& call);
  absl::StatusOr<HttpResponse> SendWith(const AccessToken* token, Call& call);
  absl::Status ErrorOf(const HttpRequest& request, const HttpResponse& response,
                       const AccessToken* token) const;

  const ApiEndpoint endpoint_;
  const std::string host_;  // of base_url, for messages
  HttpTransport& transport_;
  Clock& clock_;
};

}  // namespace sparkles
