#include "gcp/adc.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "gcp/credentials_file.h"
#include "gcp/metadata_token.h"
#include "http/transient.h"

namespace sparkles {
namespace {

// The value becomes a header of every request. A character that is not allowed there would make
// every request fail.
absl::StatusOr<std::string> CheckedProject(absl::string_view value, absl::string_view name) {
  value = absl::StripAsciiWhitespace(value);
  const bool good = std::all_of(value.begin(), value.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (good) return std::string(value);
  return absl::InvalidArgumentError(absl::StrCat(name, ": is not a valid project name"));
}

}  // namespace

absl::StatusOr<std::string> QuotaProjectOf(const Environment& environment) {
  constexpr char kVariable[] = "GOOGLE_CLOUD_QUOTA_PROJECT";
  return CheckedProject(environment(kVariable), kVariable);
}

absl::StatusOr<DefaultTokenSource::Found> DefaultTokenSource::Search() const {
  Found found;
  ASSIGN_OR_RETURN(const std::string payer, QuotaProjectOf(environment_));
  ASSIGN_OR_RETURN(const std::optional<CredentialsFile> file, FindCredentialsFile(environment_));
  if (!file) {
    found.source = std::make_unique<MetadataTokenSource>(metadata_, clock_);
    found.from_metadata = true;
    return found;
  }
  auto source = MakeTokenSource(file->fields, transport_, clock_);
  if (!source.ok()) return Annotate(source.status(), file->path);
  found.source = *std::move(source);
  // A user's credentials need a quota project in each request. For credentials of a machine, the
  // variable only names the payer for requester-pays buckets.
  if (JsonText(file->fields, "type") == "authorized_user") found.quota_project = payer;
  if (found.quota_project.empty()) {
    constexpr char kField[] = "quota_project_id";
    auto project = CheckedProject(JsonText(file->fields, kField), kField);
    if (!project.ok()) return Annotate(project.status(), file->path);
    found.quota_project = *std::move(project);
  }
  return found;
}

absl::StatusOr<const DefaultTokenSource::Found*> DefaultTokenSource::Find() {
  MutexLock lock(mutex_);
  if (!found_) {
    ASSIGN_OR_RETURN(Found found, Search());
    found_ = std::make_unique<const Found>(std::move(found));
  }
  return found_.get();
}

absl::Status DefaultTokenSource::NoCredentials(const absl::Status& metadata_error) const {
  const std::string path = WellKnownCredentialsPath(environment_);
  return absl::FailedPreconditionError(absl::StrCat(
      "no credentials for Google Cloud: GOOGLE_APPLICATION_CREDENTIALS is not set; ",
      path.empty() ? "HOME is not set, so gcloud's file cannot be found"
                   : absl::StrCat("there is no file ", path),
      "; ", metadata_error.message(),
      ". Set GOOGLE_APPLICATION_CREDENTIALS to the key file of a service account, or run gcloud "
      "auth application-default login"));
}

bool DefaultTokenSource::UsesMetadata() {
  const absl::StatusOr<const Found*> found = Find();
  return found.ok() && (*found)->from_metadata;
}

absl::StatusOr<AccessToken> DefaultTokenSource::Get(const CancelToken& cancel) {
  ASSIGN_OR_RETURN(const Found* found, Find());
  absl::StatusOr<AccessToken> token = found->source->Get(cancel);
  if (!token.ok()) {
    const bool none = found->from_metadata && absl::IsFailedPrecondition(token.status());
    return none ? NoCredentials(token.status()) : token.status();
  }
  token->quota_project = found->quota_project;
  return token;
}

absl::StatusOr<std::string> FindProjectId(absl::string_view flag, const Environment& environment,
                                          MetadataServer& metadata, const CancelToken& cancel) {
  if (!flag.empty()) return std::string(flag);
  std::vector<const char*> variables = {"GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"};
  if (!environment("DATASTORE_EMULATOR_HOST").empty()) {
    variables.insert(variables.begin(), {"DATASTORE_PROJECT_ID", "DATASTORE_DATASET"});
  }
  for (const char* variable : variables) {
    std::string value = environment(variable);
    if (!value.empty()) return value;
  }
  ASSIGN_OR_RETURN(const std::optional<CredentialsFile> file, FindCredentialsFile(environment));
  if (file) {
    for (const char* field : {"project_id", "quota_project_id"}) {
      std::string value = JsonText(file->fields, field);
      if (!value.empty()) return value;
    }
  }
  absl::StatusOr<std::string> id = metadata.Get("project/project-id", cancel);
  if (id.ok() && !id->empty()) return id;
  if (IsTransient(id.status()) || cancel.cancelled()) return id.status();
  return absl::FailedPreconditionError(
      absl::StrCat("no project: set --projectId or GOOGLE_CLOUD_PROJECT (the credentials name no "
                   "project; ",
                   id.ok() ? "the metadata server names none" : id.status().message(), ")"));
}

}  // namespace sparkles
