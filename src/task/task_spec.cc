#include "task/task_spec.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/text.h"
#include "task/spec_fields.h"

namespace sparkles {
namespace {

absl::Status ReadScripts(const FieldReader& fields, TaskSpec& spec) {
  ASSIGN_OR_RETURN(spec.command, fields.RequiredText("command"));
  ASSIGN_OR_RETURN(spec.pre_download_script, fields.Text("pre-download-script"));
  ASSIGN_OR_RETURN(spec.post_download_script, fields.Text("post-download-script"));
  ASSIGN_OR_RETURN(spec.pre_exec_script, fields.Text("pre-exec-script"));
  ASSIGN_OR_RETURN(spec.post_exec_script, fields.Text("post-exec-script"));
  const std::pair<absl::string_view, const std::string&> scripts[] = {
      {"command", spec.command},
      {"pre-download-script", spec.pre_download_script},
      {"post-download-script", spec.post_download_script},
      {"pre-exec-script", spec.pre_exec_script},
      {"post-exec-script", spec.post_exec_script}};
  for (const auto& [name, script] : scripts) {
    RETURN_IF_ERROR(CheckScriptSize(name, script));
  }
  return absl::OkStatus();
}

// Drops repeated downloads. An error if two different downloads have one destination.
absl::StatusOr<std::vector<Download>> WithoutRepeats(std::vector<Download> downloads) {
  absl::Status status;
  const std::vector<bool> repeated =
      FindRepeats(downloads, [&](absl::Status conflict) { status.Update(conflict); });
  RETURN_IF_ERROR(status);
  size_t kept = 0;
  for (size_t i = 0; i < downloads.size(); ++i) {
    if (repeated[i]) continue;
    if (kept != i) downloads[kept] = std::move(downloads[i]);
    ++kept;
  }
  downloads.resize(kept);
  return downloads;
}

// Receives the elements of `downloads` while the spec is parsed. The list can be very long, so it
// is not kept as JSON.
struct DownloadList {
  std::vector<Download> downloads;
  absl::Status status;  // of the first bad element; later elements are not read

  void Add(const Json& element) {
    if (!status.ok()) return;
    auto fields = FieldReader::Of(element, absl::StrCat("downloads[", downloads.size(), "]"));
    auto download = fields.ok() ? ReadDownload(*fields) : fields.status();
    status = download.status();
    if (status.ok()) downloads.push_back(*std::move(download));
  }
};

absl::StatusOr<std::vector<Download>> ReadDownloads(const FieldReader& fields, DownloadList list) {
  RETURN_IF_ERROR(fields.List("downloads").status());
  RETURN_IF_ERROR(list.status);
  return WithoutRepeats(std::move(list.downloads));
}

// `pattern` in quotation marks, cut if it is long.
std::string Quoted(absl::string_view pattern) {
  return absl::StrCat("\"", CutText(PrintableText(pattern), 200), "\"");
}

absl::StatusOr<std::vector<std::string>> ReadPatterns(const FieldReader& fields,
                                                      absl::string_view key,
                                                      std::vector<std::string>& warnings) {
  std::vector<std::string> patterns;
  ASSIGN_OR_RETURN(const Json* list, fields.List(key));
  for (size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const std::string field = fields.ElementName(key, i);
    ASSIGN_OR_RETURN(const std::string written, fields.ElementText((*list)[i], key, i));
    ASSIGN_OR_RETURN(std::string pattern, ReadPattern(written, field));
    if (pattern.size() < written.size()) {
      warnings.push_back(absl::StrCat(field, ": ", Quoted(written), " is read as ", Quoted(pattern),
                                      ", because patterns are relative to the work directory"));
    }
    patterns.push_back(std::move(pattern));
  }
  return patterns;
}

absl::Status ReadUploads(const FieldReader& spec_fields, TaskSpec& spec) {
  const Json* uploads = spec_fields.Find("uploads");
  if (uploads == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const FieldReader fields, FieldReader::Of(*uploads, "uploads"));
  ASSIGN_OR_RETURN(spec.include_patterns, ReadPatterns(fields, "include_patterns", spec.warnings));
  ASSIGN_OR_RETURN(spec.exclude_patterns, ReadPatterns(fields, "exclude_patterns", spec.warnings));
  ASSIGN_OR_RETURN(spec.upload_url, fields.Text("dst_url"));
  RETURN_IF_ERROR(CheckUploadUrl(spec.upload_url));
  // Keeps the slashes of "file:///".
  while (absl::EndsWith(spec.upload_url, "/") && !absl::EndsWith(spec.upload_url, "://")) {
    spec.upload_url.pop_back();
  }
  if (!spec.include_patterns.empty()) RETURN_IF_ERROR(CheckPatternsHavePlace(spec.upload_url));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TaskSpec> ParseTaskSpec(absl::string_view text) {
  DownloadList downloads;
  const auto json = ParseJsonWithList(
      text, "downloads", [&downloads](const Json& element) { downloads.Add(element); });
  if (!json.ok()) return Annotate(json.status(), "args");
  ASSIGN_OR_RETURN(const FieldReader fields, FieldReader::Of(*json, ""));
  TaskSpec spec;
  RETURN_IF_ERROR(ReadScripts(fields, spec));
  ASSIGN_OR_RETURN(spec.working_dir, ReadWorkingDir(fields));
  ASSIGN_OR_RETURN(spec.parameters, ReadParameters(fields));
  ASSIGN_OR_RETURN(spec.downloads, ReadDownloads(fields, std::move(downloads)));
  RETURN_IF_ERROR(ReadUploads(fields, spec));
  ASSIGN_OR_RETURN(spec.command_result_url, fields.Text("command_result_url"));
  ASSIGN_OR_RETURN(spec.stdout_url, fields.Text("stdout_url"));
  return spec;
}

TaskSpec ParseResultPlaces(absl::string_view text) {
  const auto json = ParseJsonWithList(text, "downloads", [](const Json&) {});
  return json.ok() ? FindResultPlaces(*json) : TaskSpec();
}

TaskSpec FindResultPlaces(const Json& json) {
  TaskSpec spec;
  const auto fields = FieldReader::Of(json, "");
  if (!fields.ok()) return spec;
  spec.command_result_url = fields->Text("command_result_url").value_or("");
  spec.stdout_url = fields->Text("stdout_url").value_or("");
  if (!ReadUploads(*fields, spec).ok()) spec.upload_url.clear();
  return spec;
}

}  // namespace sparkles
