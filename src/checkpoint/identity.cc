#include "checkpoint/identity.h"

#include "absl/strings/str_cat.h"
#include "base/hash.h"

namespace sparkles {
namespace {

constexpr char kUsualResultName[] = "result.json";

}  // namespace

CheckpointIdentity CheckpointIdentity::Of(absl::string_view spec,
                                          const std::vector<HistoryEntry>& history, int attempt) {
  CheckpointIdentity identity;
  identity.attempt = attempt;
  identity.first_attempt = FirstClaimSinceEnd(history);
  identity.spec_sha256 = HexHash(HashKind::kSha256, spec);
  const absl::Time created = history.empty() ? absl::UnixEpoch() : history.front().timestamp;
  identity.task_created = absl::FromUnixMillis(absl::ToUnixMillis(created));
  return identity;
}

std::string CheckpointIdentity::ReasonToIgnore(const Manifest& manifest) const {
  if (manifest.task_created != task_created) return "it is of an earlier task with this id";
  if (manifest.spec_sha256 != spec_sha256) return "the task's spec has changed since it was saved";
  if (manifest.attempt < first_attempt) return "the task has ended since it was saved";
  if (manifest.attempt >= attempt) return "it is of a later attempt";
  return "";
}

std::string CheckpointUrl(const std::string& result_url) {
  const size_t slash = result_url.rfind('/');
  const size_t scheme = result_url.find("://");
  if (slash == std::string::npos || scheme == std::string::npos || slash < scheme + 3) return "";
  const std::string name = result_url.substr(slash + 1);
  const std::string url = absl::StrCat(result_url.substr(0, slash), "/sparkles-checkpoint");
  return name == kUsualResultName ? url : absl::StrCat(url, "/", name);
}

}  // namespace sparkles
