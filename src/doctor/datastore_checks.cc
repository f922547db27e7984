#include "doctor/datastore_checks.h"

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gcp/api_error.h"
#include "gcp/entity.h"
#include "gcp/random_id.h"
#include "process/monotonic.h"
#include "queue/task_entity.h"

namespace sparkles {
namespace {

constexpr char kQueryThing[] = "Datastore query";
constexpr char kCommitThing[] = "Datastore commit";

// A database of Firestore in native mode refuses all requests of Datastore's API, and its message
// names the mode.
bool IsNativeMode(const absl::Status& error) {
  const std::string message = absl::AsciiStrToLower(error.message());
  return IsGoogleError(error) && absl::StrContains(message, "native");
}

std::string RemedyFor(const absl::Status& error, const DatastoreTarget& target) {
  const std::string& project = target.project;
  if (IsNativeMode(error)) {
    return absl::StrCat(
        "use a project whose default database is in Datastore mode, or create one: "
        "gcloud firestore databases create --type=datastore-mode --project=",
        project);
  }
  if (absl::IsNotFound(error)) {
    return absl::StrCat("correct --projectId (now ", project,
                        "), or create the database: gcloud firestore databases create "
                        "--type=datastore-mode --project=",
                        project);
  }
  if (absl::IsPermissionDenied(error)) {
    if (absl::StrContains(error.message(), "lack the scope")) {
      return "create the VM with --scopes=cloud-platform";
    }
    if (absl::StrContains(error.message(), "enable the API")) {
      return absl::StrCat("gcloud services enable datastore.googleapis.com --project=", project,
                          ", or correct --projectId");
    }
    return absl::StrCat("correct --projectId (now ", project,
                        "), or grant the role: gcloud projects add-iam-policy-binding ", project,
                        " --member=serviceAccount:ACCOUNT --role=roles/datastore.user");
  }
  return "try again; if the error stays, check https://status.cloud.google.com";
}

std::string Explain(const absl::Status& error, const DatastoreTarget& target) {
  if (!IsNativeMode(error)) return std::string(error.message());
  return absl::StrCat("the database of project ", target.project,
                      " is Firestore in native mode: ", error.message());
}

// False if the query fails.
bool CheckQuery(DatastoreClient& client, const DatastoreTarget& target, const CancelToken& cancel,
                Findings& findings) {
  const EqualityFilter pending = {{"cluster", StringValue(target.cluster)},
                                  {"status", StringValue("pending")}};
  const absl::Duration start = MonotonicNow();
  const absl::StatusOr<KeyPage> page =
      client.FindKeys(kTaskKind, pending, Json(), /*limit=*/1, cancel);
  if (!page.ok()) {
    findings.Fail(kQueryThing, Explain(page.status(), target), RemedyFor(page.status(), target));
    return false;
  }
  findings.Ok(
      kQueryThing,
      absl::StrFormat("project %s answers in %.0f ms, in Datastore mode; cluster %s has %s",
                      target.project, absl::ToDoubleMilliseconds(MonotonicNow() - start),
                      target.cluster, page->keys.empty() ? "no pending task" : "pending tasks"));
  return true;
}

void CheckCommit(DatastoreClient& client, const DatastoreTarget& target, Findings& findings) {
  const EntityKey absent{kTaskKind, absl::StrCat("sparklesworker-doctor-", RandomUuid())};
  const absl::StatusOr<Entity> entity =
      Entity::Parse({{"key", ToJson(absent)}, {"properties", Json::object()}});
  if (!entity.ok())
    return findings.Fail(kCommitThing, entity.status().message(), "report this as a bug");
  const absl::StatusOr<std::optional<int64_t>> version = client.Update(*entity, /*base_version=*/1);
  if (absl::IsNotFound(version.status())) {
    return findings.Ok(kCommitThing, "the account may change tasks; nothing was changed");
  }
  if (version.ok()) {
    return findings.Warn(kCommitThing, "Datastore gives no clear answer", "try again");
  }
  findings.Fail(kCommitThing, Explain(version.status(), target),
                RemedyFor(version.status(), target));
}

}  // namespace

void CheckDatastore(DatastoreClient& client, const DatastoreTarget& target,
                    const CancelToken& cancel, Findings& findings) {
  // Without a database a commit gets NOT_FOUND, too.
  if (!CheckQuery(client, target, cancel, findings)) {
    return findings.Skip(kCommitThing, "the query fails");
  }
  CheckCommit(client, target, findings);
}

}  // namespace sparkles
