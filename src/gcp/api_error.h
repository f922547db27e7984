// Translates Google's HTTP errors to absl::Status.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "http/transport.h"

namespace sparkles {

// The status for a response that is not 2xx.
// The code comes from Google's `error.status` if the body has one (a 409 is ABORTED or
// ALREADY_EXISTS), and from the HTTP status otherwise.
// The message is "what: HTTP status: Google's message", shortened, with control characters escaped
// and without any of `secrets`. It ends with advice if a person can solve the problem (scope, API
// disabled, clock skew, billing). If the account lacks a role, the advice names `roles`.
// These responses are marked transient (http/transient.h), with Retry-After: 408, 429, 499, all 5xx
// except 501 and 505, and responses that are not from Google (3xx, an HTML page). All of them
// except 429 may have been applied. A 409 or 412 from Google is never transient: the caller must
// repeat the whole transaction.
absl::Status MakeApiError(
    const HttpResponse& response, absl::string_view what,
    const std::vector<std::string>& secrets = {},
    absl::string_view roles = "roles/datastore.user and roles/storage.objectUser");

// True if the error has Google's own `error.status`. Such an answer is definite. Any other answer
// may come from a proxy.
bool IsGoogleError(const absl::Status& status);

// True for a 403 that ends with a new role, or when the API is enabled. False for a missing scope,
// billing, and a retention policy.
bool MayBeGrantedSoon(const absl::Status& status);

// True for the 403 of a retention policy or a hold. No role allows the replacement of such an
// object.
bool IsForRetention(const absl::Status& status);

// True for the 400 of a requester-pays bucket if the request named no payer.
bool RequiresPayer(const absl::Status& status);

}  // namespace sparkles
