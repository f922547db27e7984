// The interface of everything that gives access tokens.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/cancel.h"

namespace sparkles {

struct AccessToken {
  std::string value;  // a secret: keep it out of logs, errors, argv and the environment
  absl::Time expiry;
  std::string quota_project;  // for the header X-Goog-User-Project; empty if there is none
  // The owner of the token, for error messages: "service account worker@p.iam.gserviceaccount.com".
  std::string owner;
};

class TokenSource {
 public:
  virtual ~TokenSource() = default;
  // Thread-safe; blocks while a token is fetched. Errors name the place and the remedy.
  virtual absl::StatusOr<AccessToken> Get(const CancelToken& cancel) = 0;
  // Call after the server refused this token (401). The next Get must return another one.
  virtual void Invalidate(const AccessToken& token) = 0;
};

}  // namespace sparkles
