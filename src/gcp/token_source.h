// The seam to credentials: where the access token of a request comes from.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"

namespace sparkles {

struct AccessToken {
  std::string value;  // a secret: never in a log, an error, argv or the environment
  absl::Time expiry;
  std::string quota_project;  // for the header X-Goog-User-Project; empty: none
  // Whose token it is, for error messages: "service account worker@p.iam.gserviceaccount.com".
  std::string owner;
};

class TokenSource {
 public:
  virtual ~TokenSource() = default;
  // Thread-safe; blocks while a token is fetched. Errors say what was tried and how to mend it.
  virtual absl::StatusOr<AccessToken> Get(const CancelToken& cancel) = 0;
  // The server refused this token (401): the next Get must not return it again.
  virtual void Drop(const AccessToken& token) = 0;
};

}  // namespace sparkles
