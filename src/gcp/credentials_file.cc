#include "gcp/credentials_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "gcp/authorized_user.h"
#include "gcp/external_account.h"
#include "gcp/impersonated.h"
#include "gcp/service_account.h"

namespace sparkles {
namespace {

constexpr char kPathVariable[] = "GOOGLE_APPLICATION_CREDENTIALS";
constexpr size_t kMaxFileBytes = size_t{1} << 20;
constexpr size_t kMaxTypeBytes = 60;

absl::StatusOr<CredentialsFile> ReadCredentialsFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  absl::StatusOr<Json> fields = ParseJson(text);
  if (!fields.ok()) return Annotate(fields.status(), path);
  if (!fields->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is not a JSON object"));
  }
  return CredentialsFile{path, *std::move(fields)};
}

absl::StatusOr<std::unique_ptr<TokenSource>> MakeImpersonated(const Json& fields,
                                                              HttpTransport& transport,
                                                              Clock& clock) {
  const Json* source_fields = JsonField(fields, "source_credentials");
  if (source_fields == nullptr) {
    return absl::InvalidArgumentError("source_credentials: is missing");
  }
  // A chain of accounts goes into `delegates`.
  if (JsonText(*source_fields, "type") == "impersonated_service_account") {
    return absl::InvalidArgumentError(
        "source_credentials: must not have the type impersonated_service_account");
  }
  auto source = MakeTokenSource(*source_fields, transport, clock);
  if (!source.ok()) return Annotate(source.status(), "source_credentials");
  ImpersonatedSource::Account account;
  account.url = JsonText(fields, "service_account_impersonation_url");
  const Json* delegates = JsonField(fields, "delegates");
  if (delegates != nullptr && delegates->is_array()) {
    for (const Json& delegate : *delegates) {
      if (delegate.is_string()) account.delegates.push_back(delegate.get<std::string>());
    }
  }
  return ImpersonatedSource::Make(std::move(account), *std::move(source), transport, clock);
}

}  // namespace

std::string WellKnownCredentialsPath(const Environment& environment) {
  constexpr absl::string_view kName = "application_default_credentials.json";
  const std::string directory = environment("CLOUDSDK_CONFIG");
  if (!directory.empty()) return absl::StrCat(directory, "/", kName);
  const std::string home = environment("HOME");
  return home.empty() ? "" : absl::StrCat(home, "/.config/gcloud/", kName);
}

absl::StatusOr<std::optional<CredentialsFile>> FindCredentialsFile(const Environment& environment) {
  const std::string named = environment(kPathVariable);
  if (!named.empty()) {
    absl::StatusOr<CredentialsFile> file = ReadCredentialsFile(named);
    if (!file.ok()) return Annotate(file.status(), kPathVariable);
    return *std::move(file);
  }
  const std::string path = WellKnownCredentialsPath(environment);
  if (path.empty()) return std::nullopt;
  absl::StatusOr<CredentialsFile> file = ReadCredentialsFile(path);
  if (absl::IsNotFound(file.status())) return std::nullopt;
  RETURN_IF_ERROR(file.status());
  return *std::move(file);
}

absl::StatusOr<std::unique_ptr<TokenSource>> MakeTokenSource(const Json& fields,
                                                             HttpTransport& transport,
                                                             Clock& clock) {
  const std::string universe = JsonText(fields, "universe_domain");
  if (!universe.empty() && universe != "googleapis.com") {
    return absl::InvalidArgumentError("universe_domain: only googleapis.com is supported");
  }
  const std::string type = JsonText(fields, "type");
  if (type == "service_account") return ServiceAccountSource::Make(fields, transport, clock);
  if (type == "authorized_user") return AuthorizedUserSource::Make(fields, transport, clock);
  if (type == "external_account") return ExternalAccountSource::Make(fields, transport, clock);
  if (type == "impersonated_service_account") return MakeImpersonated(fields, transport, clock);
  return absl::InvalidArgumentError(absl::StrCat(
      "type: '", PrintableText(CutText(type, kMaxTypeBytes)),
      "' is not supported; it must be service_account, authorized_user, external_account or "
      "impersonated_service_account"));
}

}  // namespace sparkles
