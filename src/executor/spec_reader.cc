#include "executor/spec_reader.h"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file_url.h"
#include "base/status.h"
#include "base/text.h"
#include "storage/object_url.h"

namespace sparkles {
namespace {

// Enough for a million downloads. Limits the memory if the URL names another object.
constexpr size_t kMaxSpecBytes = 256 << 20;

// Checked before the command runs, which may take hours.
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

absl::StatusOr<std::string> ReadText(const Task& task, ObjectStore& store,
                                     const Activity& activity) {
  std::string text(absl::StripAsciiWhitespace(task.args));
  if (text.empty()) return absl::InvalidArgumentError("args: missing");
  if (!absl::StartsWith(text, "gs://") && !absl::StartsWith(text, "file://")) return text;
  auto content = store.ReadBytes(text, kMaxSpecBytes, activity);
  if (!content.ok()) return Annotate(content.status(), "args");
  if (!content->has_value()) {
    return absl::NotFoundError(absl::StrCat("args: ", text, ": no such object"));
  }
  return **std::move(content);
}

bool HaveOnePlace(const std::string& url, const std::string& other) {
  return UrlsConflict(CanonicalUrl(url), CanonicalUrl(other));
}

// The spec, with the places of log and result.json from `task` where `text` names none.
absl::StatusOr<TaskSpec> ParseSpecOf(const Task& task, const std::string& text) {
  ASSIGN_OR_RETURN(TaskSpec spec, ParseTaskSpec(text));
  if (spec.command_result_url.empty()) spec.command_result_url = task.command_result_url;
  if (spec.stdout_url.empty()) spec.stdout_url = task.log_url;
  if (!spec.upload_url.empty()) {
    RETURN_IF_ERROR(Annotate(CheckDirectoryUrl(spec.upload_url), "uploads.dst_url"));
  }
  RETURN_IF_ERROR(CheckDestination("stdout_url", spec.stdout_url));
  RETURN_IF_ERROR(CheckDestination("command_result_url", spec.command_result_url));
  if (!spec.stdout_url.empty() && HaveOnePlace(spec.stdout_url, spec.command_result_url)) {
    return absl::InvalidArgumentError("stdout_url: is the place of command_result_url as well");
  }
  if (!spec.include_patterns.empty()) {
    RETURN_IF_ERROR(CheckUploadUrl(spec.upload_url, "stdout_url", spec.stdout_url));
    RETURN_IF_ERROR(CheckUploadUrl(spec.upload_url, "command_result_url", spec.command_result_url));
  }
  return spec;
}

// A spec with only the places of log and result.json, from the refused text if they are valid.
TaskSpec PlacesOf(const Task& task, const std::string& refused_text) {
  TaskSpec places = ParseResultPlaces(refused_text);
  const auto is_good = [](const std::string& url) {
    return !url.empty() && CheckObjectUrl(url).ok();
  };
  TaskSpec spec;
  spec.command_result_url =
      is_good(places.command_result_url) ? places.command_result_url : task.command_result_url;
  spec.stdout_url = is_good(places.stdout_url) ? places.stdout_url : task.log_url;
  if (HaveOnePlace(spec.stdout_url, spec.command_result_url)) spec.stdout_url.clear();
  return spec;
}

}  // namespace

ResolvedSpec ReadSpec(const Task& task, ObjectStore& store, const Activity& activity) {
  TaskSpec unread;
  unread.command_result_url = task.command_result_url;
  unread.stdout_url = task.log_url;
  auto text = ReadText(task, store, activity);
  if (!text.ok()) return {std::move(unread), text.status()};
  auto spec = ParseSpecOf(task, *text);
  if (!spec.ok()) return {PlacesOf(task, *text), spec.status()};
  return {*std::move(spec), absl::OkStatus(), *std::move(text)};
}

}  // namespace sparkles
