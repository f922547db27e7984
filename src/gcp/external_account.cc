#include "gcp/external_account.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "gcp/google_url.h"
#include "gcp/impersonated.h"
#include "gcp/token_endpoint.h"

namespace sparkles {
namespace {

constexpr absl::string_view kDefaultTokenUrl = "https://sts.googleapis.com/v1/token";
constexpr absl::string_view kExchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange";
constexpr absl::string_view kAccessTokenType = "urn:ietf:params:oauth:token-type:access_token";
constexpr size_t kMaxSubjectTokenBytes = size_t{256} << 10;
// The limits of generateAccessToken: ten minutes to twelve hours.
constexpr int64_t kShortestLifeSeconds = 600;
constexpr int64_t kLongestLifeSeconds = 43200;

absl::Status FieldError(absl::string_view field, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", reason));
}

absl::StatusOr<std::unique_ptr<TokenSource>> Impersonate(const Json& file, std::string url,
                                                         std::unique_ptr<TokenSource> source,
                                                         HttpTransport& transport, Clock& clock) {
  ImpersonatedSource::Account account;
  account.url = std::move(url);
  const Json* options = JsonField(file, "service_account_impersonation");
  constexpr char kLife[] = "token_lifetime_seconds";
  if (options != nullptr && JsonValue(*options, kLife) != nullptr) {
    const int64_t seconds = JsonInteger(*options, kLife).value_or(0);
    if (seconds < kShortestLifeSeconds || seconds > kLongestLifeSeconds) {
      return FieldError("service_account_impersonation.token_lifetime_seconds",
                        "must be a number from 600 to 43200");
    }
    account.token_life = absl::Seconds(seconds);
  }
  return ImpersonatedSource::Make(std::move(account), std::move(source), transport, clock);
}

}  // namespace

absl::StatusOr<ExternalAccountSource::SubjectToken> ExternalAccountSource::ParseSubject(
    const Json& file) {
  const Json* source = JsonField(file, "credential_source");
  if (source == nullptr) return FieldError("credential_source", "is missing");
  SubjectToken subject;
  subject.file = JsonText(*source, "file");
  subject.url = JsonText(*source, "url");
  if (subject.file.empty() && subject.url.empty()) {
    return FieldError("credential_source", "only 'file' and 'url' are supported");
  }
  if (subject.file.empty()) {
    RETURN_IF_ERROR(CheckIdentityUrl(subject.url, "credential_source.url"));
  }
  const Json* headers = JsonField(*source, "headers");
  if (headers != nullptr && headers->is_object()) {
    for (const auto& [name, value] : headers->items()) {
      if (value.is_string()) subject.headers.Add(name, value.get_ref<const std::string&>());
    }
  }
  const Json* format = JsonField(*source, "format");
  if (format == nullptr || JsonText(*format, "type") != "json") return subject;
  subject.json_field = JsonText(*format, "subject_token_field_name");
  if (subject.json_field.empty()) {
    return FieldError("credential_source.format.subject_token_field_name", "is missing");
  }
  return subject;
}

absl::StatusOr<std::unique_ptr<TokenSource>> ExternalAccountSource::Make(const Json& file,
                                                                         HttpTransport& transport,
                                                                         Clock& clock) {
  std::unique_ptr<ExternalAccountSource> source(new ExternalAccountSource(transport, clock));
  source->audience_ = JsonText(file, "audience");
  source->subject_token_type_ = JsonText(file, "subject_token_type");
  source->user_project_ = JsonText(file, "workforce_pool_user_project");
  if (source->audience_.empty()) return FieldError("audience", "is missing");
  if (source->subject_token_type_.empty()) return FieldError("subject_token_type", "is missing");
  if (!JsonText(file, "client_secret").empty()) {
    return FieldError("client_secret", "is not supported in external_account credentials");
  }
  source->token_url_ = JsonText(file, "token_url");
  if (source->token_url_.empty()) source->token_url_ = std::string(kDefaultTokenUrl);
  RETURN_IF_ERROR(CheckGoogleUrl(source->token_url_, "token_url"));
  ASSIGN_OR_RETURN(source->subject_, ParseSubject(file));
  std::string impersonation_url = JsonText(file, "service_account_impersonation_url");
  if (impersonation_url.empty()) return source;
  return Impersonate(file, std::move(impersonation_url), std::move(source), transport, clock);
}

absl::StatusOr<std::string> ExternalAccountSource::FetchSubjectToken(const CancelToken& cancel) {
  std::string text;
  if (!subject_.file.empty()) {
    ASSIGN_OR_RETURN(text, ReadFile(subject_.file, kMaxSubjectTokenBytes));
  } else {
    TokenRequest request;
    request.method = "GET";
    request.url = subject_.url;
    request.headers = subject_.headers;
    request.owner = "the external account";
    for (const auto& [name, value] : subject_.headers.entries()) request.secrets.push_back(value);
    ASSIGN_OR_RETURN(text, SendTokenRequest(request, transport_, clock_, cancel));
  }
  if (!subject_.json_field.empty()) {
    const absl::StatusOr<Json> json = ParseJson(text);
    text = json.ok() ? JsonText(*json, subject_.json_field.c_str()) : "";
  }
  text = std::string(absl::StripAsciiWhitespace(text));
  if (!text.empty()) return text;
  return absl::FailedPreconditionError(absl::StrCat(
      "external account: no subject token in ",
      subject_.file.empty() ? UrlAuthority(subject_.url) : PrintableText(subject_.file)));
}

absl::StatusOr<AccessToken> ExternalAccountSource::Get(const CancelToken& cancel) {
  ASSIGN_OR_RETURN(const std::string subject_token, FetchSubjectToken(cancel));
  TokenRequest request;
  request.owner = absl::StrCat("external account ", PrintableText(CutText(audience_, 200)));
  request.url = token_url_;
  QueryParameters form = {{"grant_type", std::string(kExchangeGrant)},
                          {"audience", audience_},
                          {"scope", std::string(kCloudPlatformScope)},
                          {"requested_token_type", std::string(kAccessTokenType)},
                          {"subject_token", subject_token},
                          {"subject_token_type", subject_token_type_}};
  if (!user_project_.empty()) {
    form.emplace_back("options", DumpJson(Json{{"userProject", user_project_}}));
  }
  SetForm(form, request);
  request.secrets = {subject_token};
  request.refused_advice = "the pool or its provider does not accept the subject token";
  return FetchToken(request, &ParseTokenResponse, transport_, clock_, cancel);
}

}  // namespace sparkles
