// Google's HTTP errors become absl::Status: the one translator.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "http/transport.h"

namespace sparkles {

// The status of a response that is not 2xx. The code comes from Google's `error.status` where the
// body has one (409 is ABORTED or ALREADY_EXISTS), else from the HTTP status; the message is
// "what: HTTP status: Google's message", shortened, control characters escaped, with advice where
// people can mend it (scope, API disabled, clock skew, billing). Marked transient
// (http/transient.h): 408, 429, 499, all 5xx but 501 and 505, and what is no word of Google's (3xx,
// a page of HTML), with Retry-After; maybe applied: all of those but 429. Never transient: 409 (who
// can redo the whole transaction does) and 412 that are no such page. None of `secrets` is in the
// message. `roles` is the advice where an account simply lacks the right.
absl::Status MakeApiError(
    const HttpResponse& response, absl::string_view what,
    const std::vector<std::string>& secrets = {},
    absl::string_view roles = "roles/datastore.user and roles/storage.objectUser");

// Whether the error has Google's own `error.status`: such an answer is definite. What has not may
// come from anybody on the way.
bool IsGoogleError(const absl::Status& status);

// True for a 403 that a new role, or enabling the API, ends without a change to this machine. False
// for a missing scope, billing, and a retention policy.
bool MayBeGrantedSoon(const absl::Status& status);

// True for the 403 of a retention policy or a hold: no role lets the account replace the object.
bool IsForRetention(const absl::Status& status);

// True for the 400 of a requester-pays bucket to a request that names no payer.
bool WantsPayer(const absl::Status& status);

}  // namespace sparkles
