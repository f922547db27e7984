// Exchanges an assertion, signed with a service account's key, for access tokens.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/json.h"
#include "gcp/jwt.h"
#include "gcp/token_source.h"
#include "http/transport.h"

namespace sparkles {

class ServiceAccountSource : public TokenSource {
 public:
  // `file` has the fields of a file of type service_account. Borrows the others. InvalidArgument
  // names the wrong field.
  static absl::StatusOr<std::unique_ptr<TokenSource>> Make(const Json& file,
                                                           HttpTransport& transport, Clock& clock);

  absl::StatusOr<AccessToken> Get(const CancelToken& cancel) override;
  void Invalidate(const AccessToken&) override {}

 private:
  ServiceAccountSource(RsaKey key, HttpTransport& transport, Clock& clock)
      : key_(std::move(key)), transport_(transport), clock_(clock) {}
  absl::StatusOr<std::string> MakeAssertion(absl::Time now) const;

  const RsaKey key_;
  std::string key_id_;
  std::string email_;
  std::string token_url_;
  HttpTransport& transport_;
  Clock& clock_;
};

}  // namespace sparkles
