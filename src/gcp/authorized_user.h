// Exchanges a user's refresh token (from `gcloud auth application-default login`) for access
// tokens.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/json.h"
#include "gcp/token_source.h"
#include "http/transport.h"

namespace sparkles {

class AuthorizedUserSource : public TokenSource {
 public:
  // `file` has the fields of a file of type authorized_user. Borrows the others. InvalidArgument
  // names the wrong field.
  static absl::StatusOr<std::unique_ptr<TokenSource>> Make(const Json& file,
                                                           HttpTransport& transport, Clock& clock);

  absl::StatusOr<AccessToken> Get(const CancelToken& cancel) override;
  void Invalidate(const AccessToken&) override {}

 private:
  AuthorizedUserSource(HttpTransport& transport, Clock& clock)
      : transport_(transport), clock_(clock) {}

  std::string client_id_;
  std::string client_secret_;
  std::string refresh_token_;
  std::string token_url_;
  HttpTransport& transport_;
  Clock& clock_;
};

}  // namespace sparkles
