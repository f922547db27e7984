#include "gcp/service_account.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "gcp/google_url.h"
#include "gcp/token_endpoint.h"

namespace sparkles {
namespace {

constexpr absl::string_view kDefaultTokenUrl = "https://oauth2.googleapis.com/token";
constexpr absl::string_view kJwtGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
// The longest life that Google allows.
constexpr absl::Duration kAssertionLife = absl::Hours(1);
// The assertion is dated back by this much, because the clock of this machine may be fast.
constexpr absl::Duration kClockMargin = absl::Seconds(10);

}  // namespace

absl::StatusOr<std::unique_ptr<TokenSource>> ServiceAccountSource::Make(const Json& file,
                                                                        HttpTransport& transport,
                                                                        Clock& clock) {
  absl::StatusOr<RsaKey> key = RsaKey::Parse(JsonText(file, "private_key"));
  if (!key.ok()) return Annotate(key.status(), "private_key");
  std::unique_ptr<ServiceAccountSource> source(
      new ServiceAccountSource(*std::move(key), transport, clock));
  source->key_id_ = JsonText(file, "private_key_id");
  source->email_ = JsonText(file, "client_email");
  if (source->email_.empty()) return absl::InvalidArgumentError("client_email: is missing");
  source->token_url_ = JsonText(file, "token_uri");
  if (source->token_url_.empty()) source->token_url_ = std::string(kDefaultTokenUrl);
  RETURN_IF_ERROR(CheckGoogleUrl(source->token_url_, "token_uri"));
  return source;
}

absl::StatusOr<std::string> ServiceAccountSource::MakeAssertion(absl::Time now) const {
  OrderedJson header = {{"alg", "RS256"}, {"typ", "JWT"}};
  if (!key_id_.empty()) header["kid"] = key_id_;
  const absl::Time issued = now - kClockMargin;
  return key_.SignJwt(header, {{"iss", email_},
                               {"scope", std::string(kCloudPlatformScope)},
                               {"aud", token_url_},
                               {"iat", absl::ToUnixSeconds(issued)},
                               {"exp", absl::ToUnixSeconds(issued + kAssertionLife)}});
}

absl::StatusOr<AccessToken> ServiceAccountSource::Get(const CancelToken& cancel) {
  TokenRequest request;
  request.owner = absl::StrCat("service account ", email_);
  ASSIGN_OR_RETURN(const std::string assertion, MakeAssertion(clock_.Now()));
  request.url = token_url_;
  SetForm({{"grant_type", std::string(kJwtGrant)}, {"assertion", assertion}}, request);
  request.secrets = {assertion};
  request.refused_advice = "the account or its key was deleted or disabled; create a new key";
  return FetchToken(request, &ParseTokenResponse, transport_, clock_, cancel);
}

}  // namespace sparkles
