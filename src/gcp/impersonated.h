// Makes tokens of a service account that other credentials may impersonate.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/json.h"
#include "gcp/token_source.h"
#include "http/transport.h"

namespace sparkles {

class ImpersonatedSource : public TokenSource {
 public:
  struct Account {
    std::string url;  // the URL of generateAccessToken, which contains the account's name
    std::vector<std::string> delegates;  // the accounts between the source and this account
    absl::Duration token_life = absl::Hours(1);
  };

  // Borrows transport and clock. InvalidArgument if the URL is not a URL of Google.
  static absl::StatusOr<std::unique_ptr<TokenSource>> Make(Account account,
                                                           std::unique_ptr<TokenSource> source,
                                                           HttpTransport& transport, Clock& clock);

  absl::StatusOr<AccessToken> Get(const CancelToken& cancel) override;
  void Invalidate(const AccessToken&) override {}

 private:
  ImpersonatedSource(Account account, std::unique_ptr<TokenSource> source, HttpTransport& transport,
                     Clock& clock)
      : account_(std::move(account)),
        source_(std::move(source)),
        transport_(transport),
        clock_(clock) {}

  const Account account_;
  const std::unique_ptr<TokenSource> source_;
  HttpTransport& transport_;
  Clock& clock_;
};

}  // namespace sparkles
