#include "doctor/bucket_checks.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/activity.h"
#include "base/delayed_cancel.h"
#include "base/status.h"
#include "gcp/gcs_object.h"
#include "gcp/random_id.h"
#include "http/retry.h"

namespace sparkles {
namespace {

constexpr char kGet[] = "storage.objects.get";
constexpr char kCreate[] = "storage.objects.create";
// To replace an object of an earlier attempt.
constexpr char kDelete[] = "storage.objects.delete";
constexpr char kContent[] = "sparklesworker doctor writes this object and removes it again.\n";
constexpr size_t kMaxBytes = 1000;
// For the removal of the test object after the time of the check.
constexpr absl::Duration kRemoveLimit = absl::Milliseconds(1500);

std::string GrantRemedy(const BucketTarget& target) {
  return absl::StrCat("gcloud storage buckets add-iam-policy-binding gs://", target.bucket,
                      " --member=serviceAccount:ACCOUNT --role=roles/storage.objectUser");
}

std::string RemedyFor(const absl::Status& error, const BucketTarget& target) {
  if (absl::IsNotFound(error)) {
    return absl::StrCat("correct --bucket, or make the bucket: gcloud storage buckets create gs://",
                        target.bucket);
  }
  if (absl::IsPermissionDenied(error)) return GrantRemedy(target);
  return "try again; if the error stays, check https://status.cloud.google.com";
}

bool Contains(const std::vector<std::string>& list, absl::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// Removes the object `name`. An error if it may still exist.
absl::Status RemoveObject(GcsClient& client, const GcsName& name) {
  const CancelToken never;
  const TimeLimit limit(never, kRemoveLimit);
  const Activity activity(limit.token());
  const absl::Status removed = client.Retry(name, GcsRight::kWrite, activity, [&]() -> Attempt {
    const absl::StatusOr<std::optional<GcsObject>> object = client.GetMetadata(name, activity);
    if (!object.ok()) return {object.status()};
    if (!*object) return {absl::OkStatus()};
    return {client.Delete(name, (*object)->generation, activity)};
  });
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

// Writes the object, and reads it back.
absl::Status WriteAndRead(ObjectStore& store, const std::string& url, const CancelToken& cancel) {
  const Activity activity(cancel);
  RETURN_IF_ERROR(store.UploadBytes(kContent, url, {}, activity).status());
  ASSIGN_OR_RETURN(const std::optional<std::string> content,
                   store.ReadBytes(url, kMaxBytes, activity));
  if (content == kContent) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(url, content ? ": the content differs from the written content"
                                : ": not found after the write"));
}

}  // namespace

absl::StatusOr<BucketTarget> ParseBucket(const std::string& flag) {
  absl::string_view rest = flag;
  absl::ConsumePrefix(&rest, "gs://");
  const size_t slash = std::min(rest.find('/'), rest.size());
  BucketTarget target{std::string(rest.substr(0, slash)), std::string(rest.substr(slash))};
  target.prefix.erase(0, 1);
  while (absl::EndsWith(target.prefix, "/")) target.prefix.pop_back();
  if (!target.prefix.empty()) target.prefix += "/";
  RETURN_IF_ERROR(ParseGcsUrl(BucketUrl(target) + "x").status());
  return target;
}

std::string BucketUrl(const BucketTarget& target) {
  return absl::StrCat("gs://", target.bucket, "/", target.prefix);
}

void CheckBucket(GcsClient& client, const BucketTarget& target, const CancelToken& cancel,
                 Findings& findings) {
  const std::string thing = BucketUrl(target);
  const std::vector<std::string> needed = {kGet, kCreate, kDelete};
  const auto granted = client.TestPermissions(target.bucket, needed, Activity(cancel));
  if (!granted.ok()) {
    return findings.Fail(thing, granted.status().message(), RemedyFor(granted.status(), target));
  }
  std::vector<std::string> missing;
  for (const std::string& permission : needed) {
    if (!Contains(*granted, permission)) missing.push_back(permission);
  }
  if (missing.empty()) return findings.Ok(thing, "the account may read, write and replace objects");
  const std::string text = absl::StrCat(
      "the account lacks ", absl::StrJoin(missing, ", "),
      Contains(missing, kGet) ? ""
      : Contains(missing, kCreate)
          ? ": it can only read from the bucket"
          : ": it can write new objects, but cannot replace those of an earlier attempt");
  if (target.prefix.empty()) return findings.Fail(thing, text, GrantRemedy(target));
  findings.Warn(thing, text + " (a grant for the prefix alone does not count here)",
                absl::StrCat("use --write to test it, or: ", GrantRemedy(target)));
}

void CheckBucketWrite(GcsClient& client, ObjectStore& store, const BucketTarget& target,
                      const CancelToken& cancel, Findings& findings) {
  const GcsName name{target.bucket,
                     absl::StrCat(target.prefix, "sparklesworker-doctor-", RandomUuid())};
  const std::string url = absl::StrCat("gs://", name.bucket, "/", name.object);
  const std::string thing = absl::StrCat("write to ", BucketUrl(target));
  const auto may_delete = client.TestPermissions(target.bucket, {kDelete}, Activity(cancel));
  if (target.prefix.empty() && (!may_delete.ok() || may_delete->empty())) {
    return findings.Skip(thing, "the account may not remove the test object");
  }
  const absl::Status written = WriteAndRead(store, url, cancel);
  const absl::Status removed = RemoveObject(client, name);
  if (!written.ok()) {
    findings.Fail(thing, written.message(), RemedyFor(written, target));
  }
  // After a refused write there is nothing to remove, and the account may not even look.
  if (!removed.ok() && !absl::IsPermissionDenied(written)) {
    return findings.Fail(thing,
                         absl::StrCat("the test object was not removed: ", removed.message()),
                         absl::StrCat("gcloud storage rm ", url));
  }
  if (written.ok()) {
    findings.Ok(thing, "an object was written, read back with the right content, and removed");
  }
}

}  // namespace sparkles
