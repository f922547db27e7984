#include "gcp/metadata_token.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/text.h"
#include "gcp/token_endpoint.h"
#include "http/transient.h"

namespace sparkles {
namespace {

constexpr absl::string_view kAccount = "instance/service-accounts/default/";
constexpr size_t kMaxOwnerBytes = 1000;

}  // namespace

absl::StatusOr<AccessToken> MetadataTokenSource::Get(const CancelToken& cancel) {
  const absl::Time asked = clock_.Now();
  const absl::StatusOr<std::string> answer = server_.Get(absl::StrCat(kAccount, "token"), cancel);
  if (absl::IsNotFound(answer.status())) {
    return absl::FailedPreconditionError(
        "this VM has no service account: create the VM with one and with --scopes=cloud-platform");
  }
  RETURN_IF_ERROR(answer.status());
  absl::StatusOr<AccessToken> token = ParseTokenResponse(*answer, asked);
  if (!token.ok()) {
    return Transient(absl::UnavailableError(absl::StrCat("access token of the metadata server: ",
                                                         token.status().message())),
                     /*maybe_applied=*/false);
  }
  token->owner = Owner(cancel);
  return token;
}

std::string MetadataTokenSource::Owner(const CancelToken& cancel) {
  {
    MutexLock lock(mutex_);
    if (!owner_.empty()) return owner_;
  }
  const auto email = server_.Peek(absl::StrCat(kAccount, "email"), cancel);
  const auto scopes = server_.Peek(absl::StrCat(kAccount, "scopes"), cancel);
  std::string owner = "the service account of this VM";
  if (email.ok()) absl::StrAppend(&owner, " ", email->text);
  if (scopes.ok()) {
    absl::StrAppend(&owner, " with the scopes ",
                    absl::StrJoin(absl::StrSplit(scopes->text, '\n', absl::SkipWhitespace()), " "));
  }
  MutexLock lock(mutex_);
  owner_ = PrintableText(CutText(owner, kMaxOwnerBytes));
  return owner_;
}

}  // namespace sparkles
