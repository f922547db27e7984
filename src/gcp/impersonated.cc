#include "gcp/impersonated.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/text.h"
#include "gcp/google_url.h"
#include "gcp/token_endpoint.h"

namespace sparkles {
namespace {

constexpr size_t kMaxNameBytes = 200;

// "worker@p.iam.gserviceaccount.com" of ".../serviceAccounts/worker@p...:generateAccessToken".
std::string AccountName(absl::string_view url) {
  absl::string_view name = url.substr(url.rfind('/') + 1);
  name = name.substr(0, name.rfind(':'));
  return PrintableText(CutText(name, kMaxNameBytes));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TokenSource>> ImpersonatedSource::Make(
    Account account, std::unique_ptr<TokenSource> source, HttpTransport& transport, Clock& clock) {
  RETURN_IF_ERROR(CheckGoogleUrl(account.url, "service_account_impersonation_url"));
  return std::unique_ptr<TokenSource>(
      new ImpersonatedSource(std::move(account), std::move(source), transport, clock));
}

absl::StatusOr<AccessToken> ImpersonatedSource::Get(const CancelToken& cancel) {
  ASSIGN_OR_RETURN(const AccessToken own, source_->Get(cancel));
  TokenRequest request;
  request.owner = absl::StrCat("service account ", AccountName(account_.url), " (impersonated by ",
                               own.owner, ")");
  request.url = account_.url;
  request.headers.Add("Authorization", "Bearer " + own.value);
  request.headers.Add("Content-Type", "application/json");
  request.body = DumpJson(
      OrderedJson{{"delegates", account_.delegates},
                  {"scope", OrderedJson::array({std::string(kCloudPlatformScope)})},
                  {"lifetime", absl::StrCat(absl::ToInt64Seconds(account_.token_life), "s")}});
  request.secrets = {own.value};
  request.roles =
      absl::StrCat("roles/iam.serviceAccountTokenCreator on ", AccountName(account_.url));
  return FetchToken(request, &ParseGeneratedToken, transport_, clock_, cancel);
}

}  // namespace sparkles
