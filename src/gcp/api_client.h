// Sends requests to a Google API: adds the token, reads Google's errors, retries, once for all
// APIs.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/vitals.h"
#include "gcp/environment.h"
#include "gcp/token_source.h"
#include "http/retry.h"
#include "http/transport.h"

namespace sparkles {

struct ApiEndpoint {
  // "https://storage.googleapis.com", or that of an emulator; no slash at its end.
  std::string base_url;
  TokenSource* tokens = nullptr;  // borrowed; null for an emulator: no Authorization header then
  Counter* retries = nullptr;     // borrowed, may be null: counts those of Send
  absl::Status unusable = {};     // an error: nothing is sent, this is returned
  std::string roles = "roles/datastore.user and roles/storage.objectUser";  // for advice on a 403
};

// "http://host:port" of an emulator variable's value, which may lack the scheme, end in "/" and
// have white space around it.
std::string EmulatorUrl(absl::string_view value);

// Where `url` is served: by the emulator that the environment's `variable` names, if it is set. A
// value that can be no address makes the endpoint unusable: a machine fault. Borrows `tokens`.
ApiEndpoint EndpointOf(absl::string_view url, const Environment& environment, const char* variable,
                       TokenSource& tokens);

// Thread-safe.
class ApiClient {
 public:
  // Borrows all that it refers to.
  ApiClient(ApiEndpoint endpoint, HttpTransport& transport, Clock& clock);

  const std::string& base_url() const { return endpoint_.base_url; }
  Clock& clock() const { return clock_; }

  // One attempt: adds authorization, x-goog-api-client and (where the token has one) the quota
  // project; on 401 drops the token and tries once more with a fresh one. A 2xx or one of
  // `also_good` comes back as a response; any other status as the error that MakeApiError says,
  // with the server's name, and whose token it was if that matters. No token to be had is
  // Unavailable, whatever the reason: a machine fault, or transient if it may pass. `make_request`
  // is called for each sending. A URL outside base_url (an upload session may be on another host)
  // gets no token.
  absl::StatusOr<HttpResponse> SendOnce(const std::function<HttpRequest()>& make_request,
                                        const CancelToken& cancel,
                                        std::initializer_list<int> also_good = {});

  // The same in the retry loop.
  absl::StatusOr<HttpResponse> Send(const std::function<HttpRequest()>& make_request,
                                    const RetryPolicy& policy, Idempotency idempotency,
                                    const CancelToken& cancel,
                                    std::initializer_list<int> also_good = {});

 private:
  struct Call;  // what all sendings of one call share

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
