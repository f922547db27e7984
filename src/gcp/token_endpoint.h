// Requests to the servers that give out access tokens: retried, bounded, and without a secret in
// any error.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/json.h"
#include "gcp/token_source.h"
#include "http/transport.h"
#include "http/url.h"

namespace sparkles {

// What we ask of Google for, whatever the credentials: all that a worker does.
inline constexpr absl::string_view kCloudPlatformScope =
    "https://www.googleapis.com/auth/cloud-platform";

struct TokenRequest {
  std::string method = "POST";
  std::string url;
  HttpHeaders headers;
  std::string body;
  std::string owner;                 // whose token is asked for, for messages
  std::vector<std::string> secrets;  // what no message may hold, should the server quote it
  std::string refused_advice;        // how to mend it if the credentials are no longer good
  std::string roles;                 // what the account may lack (a plain 403)
};

// application/x-www-form-urlencoded; sets the Content-Type.
void SetForm(const QueryParameters& fields, TokenRequest& request);

// The body of the 2xx answer. Tries three times what may pass; then the error is transient still.
// Errors name the owner and the server, and say how far our clock is off if that is the cause.
absl::StatusOr<std::string> SendTokenRequest(const TokenRequest& request, HttpTransport& transport,
                                             Clock& clock, const CancelToken& cancel);

using TokenParser = absl::StatusOr<AccessToken> (*)(absl::string_view body, absl::Time now);

// The token in that answer, with its owner. An answer that cannot be understood is transient: it
// may be a proxy's, or cut short.
absl::StatusOr<AccessToken> FetchToken(const TokenRequest& request, TokenParser parse,
                                       HttpTransport& transport, Clock& clock,
                                       const CancelToken& cancel);

// The answer of an OAuth token endpoint or of the metadata server: access_token, and expires_in
// (counted from `now`). The token is fit for a header and its life between 1 s and a day.
// InvalidArgument says what is wrong with the answer, never what is in it.
absl::StatusOr<AccessToken> ParseTokenResponse(absl::string_view body, absl::Time now);

// The answer of generateAccessToken: accessToken, expireTime. Same promises.
absl::StatusOr<AccessToken> ParseGeneratedToken(absl::string_view body, absl::Time now);

}  // namespace sparkles
