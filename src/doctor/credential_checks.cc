#include "doctor/credential_checks.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "gcp/credentials_file.h"

namespace sparkles {
namespace {

constexpr char kThing[] = "credentials";
constexpr char kNoFileRemedy[] =
    "set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account, run gcloud auth "
    "application-default login, or give the VM a service account";
constexpr char kBadFileRemedy[] =
    "correct the file, or unset GOOGLE_APPLICATION_CREDENTIALS to use gcloud's file or the VM's "
    "service account";
constexpr char kRefusedRemedy[] =
    "make a new key for the service account, or log in again: gcloud auth application-default "
    "login";

bool Has(const std::vector<std::string>& scopes, absl::string_view name) {
  return std::find(scopes.begin(), scopes.end(),
                   absl::StrCat("https://www.googleapis.com/auth/", name)) != scopes.end();
}

// The names of the scopes that are missing.
std::vector<std::string> MissingScopes(const std::vector<std::string>& scopes,
                                       bool needs_datastore) {
  std::vector<std::string> missing;
  if (Has(scopes, "cloud-platform")) return missing;
  if (needs_datastore && !Has(scopes, "datastore")) missing.push_back("datastore");
  if (!Has(scopes, "devstorage.read_write") && !Has(scopes, "devstorage.full_control")) {
    missing.push_back("devstorage.read_write");
  }
  return missing;
}

}  // namespace

void CheckCredentials(const Environment& environment, TokenSource& tokens, Clock& clock,
                      const CancelToken& cancel, Findings& findings) {
  const auto file = FindCredentialsFile(environment);
  if (!file.ok()) return findings.Fail(kThing, file.status().message(), kBadFileRemedy);
  const bool has_file = file->has_value();
  const std::string place = has_file ? (*file)->path : "the metadata server";
  const absl::StatusOr<AccessToken> token = tokens.Get(cancel);
  if (!token.ok()) {
    const bool bad_file = has_file && absl::IsInvalidArgument(token.status());
    return findings.Fail(kThing, token.status().message(),
                         bad_file   ? kBadFileRemedy
                         : has_file ? kRefusedRemedy
                                    : kNoFileRemedy);
  }
  const int64_t minutes = absl::ToInt64Minutes(token->expiry - clock.Now());
  findings.Ok(kThing, absl::StrCat(token->owner, ", from ", place, "; the token is valid for ",
                                   minutes, " minutes"));
}

void CheckScopes(const Environment& environment, MetadataServer& metadata, bool needs_datastore,
                 const CancelToken& cancel, Findings& findings) {
  constexpr char kScopes[] = "scopes";
  const auto file = FindCredentialsFile(environment);
  if (!file.ok() || file->has_value()) return;
  const auto text = metadata.Get("instance/service-accounts/default/scopes", cancel);
  // Outside Google there are no scopes; CheckCredentials says that there is no account.
  if (absl::IsFailedPrecondition(text.status())) return;
  if (!text.ok()) {
    return findings.Skip(
        kScopes, absl::StrCat("the metadata server does not name them: ", text.status().message()));
  }
  const std::vector<std::string> scopes = absl::StrSplit(*text, '\n', absl::SkipWhitespace());
  const std::vector<std::string> missing = MissingScopes(scopes, needs_datastore);
  if (missing.empty()) return findings.Ok(kScopes, absl::StrJoin(scopes, " "));
  findings.Fail(kScopes,
                absl::StrCat("the VM lacks ", absl::StrJoin(missing, " and "), "; it has ",
                             scopes.empty() ? "none" : absl::StrJoin(scopes, " ")),
                "stop the VM, then run gcloud compute instances set-service-account VM "
                "--scopes=cloud-platform, or create the VM with --scopes=cloud-platform");
}

}  // namespace sparkles
