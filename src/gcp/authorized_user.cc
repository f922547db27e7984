#include "gcp/authorized_user.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "gcp/google_url.h"
#include "gcp/token_endpoint.h"

namespace sparkles {
namespace {

constexpr absl::string_view kDefaultTokenUrl = "https://oauth2.googleapis.com/token";

}  // namespace

absl::StatusOr<std::unique_ptr<TokenSource>> AuthorizedUserSource::Make(const Json& file,
                                                                        HttpTransport& transport,
                                                                        Clock& clock) {
  for (const char* field : {"client_id", "client_secret", "refresh_token"}) {
    if (JsonText(file, field).empty()) {
      return absl::InvalidArgumentError(absl::StrCat(field, ": is missing"));
    }
  }
  std::unique_ptr<AuthorizedUserSource> source(new AuthorizedUserSource(transport, clock));
  source->client_id_ = JsonText(file, "client_id");
  source->client_secret_ = JsonText(file, "client_secret");
  source->refresh_token_ = JsonText(file, "refresh_token");
  source->token_url_ = JsonText(file, "token_uri");
  if (source->token_url_.empty()) source->token_url_ = std::string(kDefaultTokenUrl);
  RETURN_IF_ERROR(CheckGoogleUrl(source->token_url_, "token_uri"));
  return source;
}

absl::StatusOr<AccessToken> AuthorizedUserSource::Get(const CancelToken& cancel) {
  TokenRequest request;
  request.owner = "the user's own credentials";
  request.url = token_url_;
  SetForm({{"grant_type", "refresh_token"},
           {"client_id", client_id_},
           {"client_secret", client_secret_},
           {"refresh_token", refresh_token_}},
          request);
  request.secrets = {client_secret_, refresh_token_};
  request.refused_advice =
      "they were revoked or have expired: run gcloud auth application-default login";
  return FetchToken(request, &ParseTokenResponse, transport_, clock_, cancel);
}

}  // namespace sparkles
