#include "task/spec_problems.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "task/spec_fields.h"
#include "task/task_spec.h"

namespace sparkles {
namespace {

class SpecExamination {
 public:
  explicit SpecExamination(const FieldReader& fields) : fields_(fields) {}

  std::vector<std::string> Run() && {
    ExamineScripts();
    Note(ReadWorkingDir(fields_).status());
    Note(ReadParameters(fields_).status());
    ExamineDownloads();
    ExamineUploads();
    Note(fields_.Text("command_result_url").status());
    Note(fields_.Text("stdout_url").status());
    return std::move(problems_);
  }

 private:
  void Note(const absl::Status& status) {
    if (!status.ok()) problems_.emplace_back(status.message());
  }

  void NoteScript(const char* name, const absl::StatusOr<std::string>& script) {
    Note(script.ok() ? CheckScriptSize(name, *script) : script.status());
  }

  void ExamineScripts() {
    NoteScript("command", fields_.RequiredText("command"));
    for (const char* const name : kScriptNames) NoteScript(name, fields_.Text(name));
  }

  void ExamineDownloads() {
    const absl::StatusOr<const Json*> list = fields_.List("downloads");
    if (!list.ok()) return Note(list.status());
    std::vector<Download> downloads;
    for (size_t i = 0; *list != nullptr && i < (*list)->size(); ++i) {
      const std::string name = absl::StrCat("downloads[", i, "]");
      downloads.push_back(ExamineDownload((**list)[i], name));
    }
    FindRepeats(downloads, [this](const absl::Status& conflict) { Note(conflict); });
  }

  Download ExamineDownload(const Json& element, const std::string& name) {
    // Stands for a bad download. No other download has an absolute path.
    Download bad;
    bad.dst = "/" + name;
    const auto fields = FieldReader::Of(element, name);
    if (!fields.ok()) {
      Note(fields.status());
      return bad;
    }
    const auto download = ReadDownload(*fields);
    if (download.ok()) return *download;
    Note(fields->RequiredText("src_url").status());
    const auto dst = fields->RequiredText("dst");
    Note(dst.ok() ? CleanDestination(*dst, fields->NameOf("dst")).status() : dst.status());
    for (const char* const flag : {"executable", "is_cas_key", "symlink_safe"}) {
      Note(fields->Flag(flag).status());
    }
    return bad;
  }

  void ExamineUploads() {
    const Json* const uploads = fields_.Find("uploads");
    if (uploads == nullptr) return;
    const auto fields = FieldReader::Of(*uploads, "uploads");
    if (!fields.ok()) return Note(fields.status());
    const bool has_patterns = ExaminePatterns(*fields, "include_patterns");
    ExaminePatterns(*fields, "exclude_patterns");
    const auto url = fields->Text("dst_url");
    if (!url.ok()) return Note(url.status());
    Note(CheckUploadUrl(*url));
    if (has_patterns) Note(CheckPatternsHavePlace(*url));
  }

  // True if there is a pattern.
  bool ExaminePatterns(const FieldReader& fields, absl::string_view key) {
    const absl::StatusOr<const Json*> list = fields.List(key);
    Note(list.status());
    if (!list.ok() || *list == nullptr) return false;
    for (size_t i = 0; i < (*list)->size(); ++i) {
      const auto written = fields.ElementText((**list)[i], key, i);
      Note(written.ok() ? ReadPattern(*written, fields.ElementName(key, i)).status()
                        : written.status());
    }
    return !(*list)->empty();
  }

  const FieldReader& fields_;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> FindSpecProblems(absl::string_view text) {
  const absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return {std::string(Annotate(json.status(), "args").message())};
  const auto fields = FieldReader::Of(*json, "");
  if (!fields.ok()) return {std::string(fields.status().message())};
  return SpecExamination(*fields).Run();
}

}  // namespace sparkles
