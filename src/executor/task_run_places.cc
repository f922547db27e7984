// The part of TaskRun that checks, before the command runs for hours, whether its results can be
// delivered.
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "executor/task_run.h"

namespace sparkles {
namespace {

// "gs://bucket" of "gs://bucket/name".
std::string BucketOf(const std::string& url) {
  const size_t scheme = url.find("://");
  return scheme == std::string::npos ? url : url.substr(0, url.find('/', scheme + 3));
}

}  // namespace

absl::Status TaskRun::CheckPlaces() {
  const bool again = attempt_ > 1;
  const absl::Status log = CheckPlace("stdout_url", spec_.stdout_url, again);
  if (absl::IsFailedPrecondition(log)) {
    context_.log.Warning("the log cannot be delivered: ", log.message());
  } else {
    RETURN_IF_ERROR(log);
  }
  std::set<std::string> asked = {"", BucketOf(spec_.stdout_url)};
  if (again || !asked.contains(BucketOf(spec_.command_result_url))) {
    RETURN_IF_ERROR(CheckPlace("command_result_url", spec_.command_result_url, again));
  }
  asked.insert(BucketOf(spec_.command_result_url));
  if (spec_.include_patterns.empty() || asked.contains(BucketOf(spec_.upload_url))) {
    return absl::OkStatus();
  }
  return CheckPlace("uploads.dst_url", absl::StrCat(spec_.upload_url, "/", kTaskLogName), false);
}

absl::Status TaskRun::CheckPlace(absl::string_view field, const std::string& url, bool replace) {
  RETURN_IF_ERROR(CheckCancelled());
  if (url.empty()) return absl::OkStatus();
  const absl::Status writable = context_.store.CheckWritable(url, replace, activity_);
  return Annotate(writable, absl::StrCat(field, ": cannot be written"));
}

void TaskRun::LeaveOutLog(const absl::Status& why) {
  if (std::exchange(log_left_out_, true)) return;
  context_.log.Warning("the log is not delivered, and an older log stays: ", why.message());
  result_.skipped.push_back({kTaskLogName, std::string(why.message())});
}

}  // namespace sparkles
