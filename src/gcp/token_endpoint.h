// Sends requests to servers that issue access tokens, with retries, and keeps secrets out of
// errors.
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

// The scope that the worker asks for with every kind of credentials.
inline constexpr absl::string_view kCloudPlatformScope =
    "https://www.googleapis.com/auth/cloud-platform";

struct TokenRequest {
  std::string method = "POST";
  std::string url;
  HttpHeaders headers;
  std::string body;
  std::string owner;                 // the owner of the token, for messages
  std::vector<std::string> secrets;  // texts that no message may contain
  std::string refused_advice;        // how to replace credentials that are no longer valid
  std::string roles;                 // the roles that the account may lack (a plain 403)
};

// Sets the body to the fields as application/x-www-form-urlencoded, and the Content-Type.
void SetForm(const QueryParameters& fields, TokenRequest& request);

// Returns the body of the 2xx answer. Makes up to three attempts; the last transient error stays
// transient. Errors name the owner and the server, and the clock's error if that is the cause.
absl::StatusOr<std::string> SendTokenRequest(const TokenRequest& request, HttpTransport& transport,
                                             Clock& clock, const CancelToken& cancel);

using TokenParser = absl::StatusOr<AccessToken> (*)(absl::string_view body, absl::Time now);

// Returns the token in that answer, with its owner. An answer that cannot be parsed is a transient
// error, because it may be cut short or from a proxy.
absl::StatusOr<AccessToken> FetchToken(const TokenRequest& request, TokenParser parse,
                                       HttpTransport& transport, Clock& clock,
                                       const CancelToken& cancel);

// Parses the answer of an OAuth token endpoint or of the metadata server: access_token, and
// expires_in (counted from `now`). The token is valid in a header and lives between 1 s and a day.
// InvalidArgument says what is wrong with the answer, without quoting it.
absl::StatusOr<AccessToken> ParseTokenResponse(absl::string_view body, absl::Time now);

// Parses the answer of generateAccessToken: accessToken, expireTime. Has the same guarantees.
absl::StatusOr<AccessToken> ParseGeneratedToken(absl::string_view body, absl::Time now);

}  // namespace sparkles
