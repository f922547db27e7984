// The part of TaskRun that reads the task's spec.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file_url.h"
#include "base/status.h"
#include "base/text.h"
#include "executor/task_run.h"
#include "storage/object_url.h"

namespace sparkles {
namespace {

// Enough for a million downloads. The limit keeps a wrong URL from filling the memory.
constexpr size_t kMaxSpecBytes = 256 << 20;

// A destination that no store takes must come to light before the command has run for hours.
absl::Status CheckDestination(absl::string_view field, const std::string& url) {
  return url.empty() ? absl::OkStatus() : Annotate(CheckObjectUrl(url), field);
}

// An error if outputs would lie below `url`, which is a file.
absl::Status CheckUploadUrl(const std::string& upload_url, absl::string_view field,
                            const std::string& url) {
  const std::string output = CanonicalUrl(absl::StrCat(upload_url, "/output"));
  const std::string file = CanonicalUrl(url);
  const bool below = absl::StartsWith(output, kFileScheme) && !file.empty() &&
                     absl::StartsWith(output, absl::StrCat(file, "/"));
  if (!below) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("uploads.dst_url: ", PrintableText(upload_url),
                                                 " is also the place of ", field));
}

}  // namespace

absl::Status TaskRun::ReadSpec() {
  std::string text(absl::StripAsciiWhitespace(task_.args));
  if (text.empty()) return absl::InvalidArgumentError("args: missing");
  if (absl::StartsWith(text, "gs://") || absl::StartsWith(text, "file://")) {
    auto content = context_.store.ReadBytes(text, kMaxSpecBytes, activity_);
    if (!content.ok()) return Annotate(content.status(), "args");
    if (!content->has_value()) {
      return absl::NotFoundError(absl::StrCat("args: ", text, ": no such object"));
    }
    text = **std::move(content);
  }
  const absl::Status accepted = AcceptSpec(text);
  if (accepted.ok()) return accepted;
  // What it says of its log and result is good all the same, if it can be.
  const TaskSpec places = ParseResultPlaces(text);
  const auto adopt = [](const std::string& url, std::string& place) {
    if (!url.empty() && CheckObjectUrl(url).ok()) place = url;
  };
  adopt(places.command_result_url, spec_.command_result_url);
  adopt(places.stdout_url, spec_.stdout_url);
  if (UrlsConflict(CanonicalUrl(spec_.stdout_url), CanonicalUrl(spec_.command_result_url))) {
    spec_.stdout_url.clear();
  }
  return accepted;
}

absl::Status TaskRun::AcceptSpec(const std::string& text) {
  ASSIGN_OR_RETURN(TaskSpec spec, ParseTaskSpec(text));
  if (spec.command_result_url.empty()) spec.command_result_url = spec_.command_result_url;
  if (spec.stdout_url.empty()) spec.stdout_url = spec_.stdout_url;
  if (!spec.upload_url.empty()) {
    RETURN_IF_ERROR(Annotate(CheckFolderUrl(spec.upload_url), "uploads.dst_url"));
  }
  RETURN_IF_ERROR(CheckDestination("stdout_url", spec.stdout_url));
  RETURN_IF_ERROR(CheckDestination("command_result_url", spec.command_result_url));
  if (!spec.stdout_url.empty() &&
      UrlsConflict(CanonicalUrl(spec.stdout_url), CanonicalUrl(spec.command_result_url))) {
    return absl::InvalidArgumentError("stdout_url: is the place of command_result_url as well");
  }
  if (!spec.include_patterns.empty()) {
    RETURN_IF_ERROR(CheckUploadUrl(spec.upload_url, "stdout_url", spec.stdout_url));
    RETURN_IF_ERROR(CheckUploadUrl(spec.upload_url, "command_result_url", spec.command_result_url));
  }
  for (const std::string& warning : spec.warnings) context_.log.Warning(warning);
  spec_ = std::move(spec);
  result_.command = spec_.command;
  result_.parameters = spec_.parameters;
  return absl::OkStatus();
}

}  // namespace sparkles
