#include "executor/result_places.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file_url.h"
#include "base/status.h"
#include "base/text.h"
#include "executor/task_log.h"
#include "storage/object_url.h"

namespace sparkles {
absl::Status CheckResultPlaces(const TaskSpec& spec, int attempt, ObjectStore& store,
                               const Activity& activity, const Log& log) {
  const auto check = [&](absl::string_view field, const std::string& url, bool replace) {
    RETURN_IF_ERROR(activity.ReportWait());
    if (url.empty()) return absl::OkStatus();
    return Annotate(store.CheckWritable(url, replace, activity),
                    absl::StrCat(field, ": cannot be written"));
  };
  const bool again = attempt > 1;
  const absl::Status log_place = check("stdout_url", spec.stdout_url, again);
  if (absl::IsFailedPrecondition(log_place)) {
    log.Warning("the log cannot be delivered: ", log_place.message());
  } else {
    RETURN_IF_ERROR(log_place);
  }
  std::set<std::string> asked = {"", BucketOf(spec.stdout_url)};
  if (again || !asked.contains(BucketOf(spec.command_result_url))) {
    RETURN_IF_ERROR(check("command_result_url", spec.command_result_url, again));
  }
  asked.insert(BucketOf(spec.command_result_url));
  if (spec.include_patterns.empty() || asked.contains(BucketOf(spec.upload_url))) {
    return absl::OkStatus();
  }
  return check("uploads.dst_url", absl::StrCat(spec.upload_url, "/", kTaskLogName), false);
}

absl::Status RemoveReservedOutputs(const TaskSpec& spec, std::vector<std::string>& outputs) {
  const std::string log_url = CanonicalUrl(spec.stdout_url);
  const std::string result_url = CanonicalUrl(spec.command_result_url);
  absl::Status status;
  std::erase_if(outputs, [&](const std::string& output) {
    const std::string url = CanonicalUrl(absl::StrCat(spec.upload_url, "/", output));
    if (!UrlsConflict(url, log_url) && !UrlsConflict(url, result_url)) return false;
    status.Update(absl::FailedPreconditionError(
        absl::StrCat("output ", PrintableText(output), ": its place ", PrintableText(url),
                     " is needed for the task's own log or result.json")));
    return true;
  });
  return status;
}

}  // namespace sparkles
