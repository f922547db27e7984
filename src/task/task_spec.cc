#include "task/task_spec.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/glob.h"
#include "base/path.h"
#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

constexpr absl::string_view kLogName = "stdout.txt";
// The longest name of a file on Linux (NAME_MAX in linux/limits.h).
constexpr size_t kMaxNameBytes = 255;
constexpr size_t kSha256HexDigits = 64;

absl::Status FieldError(absl::string_view field, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", reason));
}

// Reads the fields of one JSON object by name; every error names the field with its whole path.
// A field that is null counts as absent.
class FieldReader {
 public:
  // `name` is the object's own path ("downloads[2]"), empty for the spec itself. Borrows `object`.
  static absl::StatusOr<FieldReader> Of(const Json& object, std::string name) {
    if (!object.is_object()) {
      return FieldError(name.empty() ? "args" : name, "must be a JSON object");
    }
    return FieldReader(object, std::move(name));
  }

  std::string NameOf(absl::string_view key) const {
    return name_.empty() ? std::string(key) : absl::StrCat(name_, ".", key);
  }

  // Null if absent.
  const Json* Find(absl::string_view key) const {
    return JsonValue(object_, std::string(key).c_str());
  }

  // Empty if absent.
  absl::StatusOr<std::string> Text(absl::string_view key) const {
    const Json* value = Find(key);
    if (value == nullptr) return std::string();
    return TextOf(*value, NameOf(key));
  }

  absl::StatusOr<std::string> RequiredText(absl::string_view key) const {
    ASSIGN_OR_RETURN(std::string text, Text(key));
    if (text.empty()) return FieldError(NameOf(key), "is missing or empty");
    return text;
  }

  // False if absent.
  absl::StatusOr<bool> Flag(absl::string_view key) const {
    const Json* value = Find(key);
    if (value == nullptr) return false;
    if (!value->is_boolean()) return FieldError(NameOf(key), "must be true or false");
    return value->get<bool>();
  }

  // Empty if absent.
  absl::StatusOr<std::vector<std::string>> Texts(absl::string_view key) const {
    std::vector<std::string> texts;
    ASSIGN_OR_RETURN(const Json* list, List(key));
    if (list == nullptr) return texts;
    for (size_t i = 0; i < list->size(); ++i) {
      ASSIGN_OR_RETURN(std::string text, TextOf((*list)[i], ElementName(key, i)));
      texts.push_back(std::move(text));
    }
    return texts;
  }

  // Null if absent.
  absl::StatusOr<const Json*> List(absl::string_view key) const {
    const Json* value = Find(key);
    if (value != nullptr && !value->is_array()) return FieldError(NameOf(key), "must be a list");
    return value;
  }

  std::string ElementName(absl::string_view key, size_t index) const {
    return absl::StrCat(NameOf(key), "[", index, "]");
  }

 private:
  FieldReader(const Json& object, std::string name) : object_(object), name_(std::move(name)) {}

  // Every text becomes an argument, a path or a URL some day: none can hold a NUL.
  static absl::StatusOr<std::string> TextOf(const Json& value, const std::string& name) {
    if (!value.is_string()) return FieldError(name, "must be a string");
    const std::string& text = value.get_ref<const std::string&>();
    if (absl::StrContains(text, '\0')) return FieldError(name, "holds a NUL character");
    return text;
  }

  const Json& object_;
  std::string name_;
};

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
    if (script.size() <= kMaxCommandBytes) continue;
    return FieldError(name, absl::StrCat("is longer than ", kMaxCommandBytes,
                                         " bytes, the most that Linux takes as one argument"));
  }
  return absl::OkStatus();
}

bool IsSha256Hex(absl::string_view text) {
  return text.size() == kSha256HexDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isxdigit(static_cast<unsigned char>(c));
         });
}

// `text` as a path below the work folder that can be the name of an input.
absl::StatusOr<std::string> CleanDestination(absl::string_view text, const std::string& field) {
  auto path = CleanRelativePath(text);
  if (!path.ok()) return Annotate(path.status(), field);
  if (*path == ".") return FieldError(field, "is the work folder itself");
  const std::vector<absl::string_view> elements = absl::StrSplit(*path, '/');
  if (elements[0] == kLogName) return FieldError(field, "is the task's own log");
  for (const absl::string_view element : elements) {
    if (element.size() > kMaxNameBytes) {
      return FieldError(field, absl::StrCat("has a name of more than ", kMaxNameBytes, " bytes"));
    }
  }
  return path;
}

absl::StatusOr<Download> ReadDownload(const FieldReader& fields) {
  Download download;
  ASSIGN_OR_RETURN(download.src_url, fields.RequiredText("src_url"));
  ASSIGN_OR_RETURN(const std::string dst, fields.RequiredText("dst"));
  ASSIGN_OR_RETURN(download.dst, CleanDestination(dst, fields.NameOf("dst")));
  ASSIGN_OR_RETURN(download.executable, fields.Flag("executable"));
  ASSIGN_OR_RETURN(download.is_cas_key, fields.Flag("is_cas_key"));
  ASSIGN_OR_RETURN(download.symlink_safe, fields.Flag("symlink_safe"));
  // The client sets the flag for all objects below its cas_url_prefix, and some are not CAS keys.
  if (!IsSha256Hex(BaseName(download.src_url))) download.is_cas_key = false;
  return download;
}

bool SameSource(const Download& a, const Download& b) {
  return a.src_url == b.src_url && a.executable == b.executable && a.is_cas_key == b.is_cas_key &&
         a.symlink_safe == b.symlink_safe;
}

// Compares as if '/' were the smallest character: a file sorts directly before paths below it.
bool SortsBefore(absl::string_view a, absl::string_view b) {
  const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&](char x, char y) { return rank(x) < rank(y); });
}

// Keeps each destination once: drops repeated downloads, and fails for contradicting ones. Sorts
// indexes and copies nothing, since there may be a million downloads.
absl::StatusOr<std::vector<Download>> WithoutRepeats(std::vector<Download> downloads) {
  std::vector<size_t> sorted(downloads.size());
  std::iota(sorted.begin(), sorted.end(), 0);
  std::sort(sorted.begin(), sorted.end(), [&](size_t a, size_t b) {
    const std::string& first = downloads[a].dst;
    const std::string& second = downloads[b].dst;
    return first == second ? a < b : SortsBefore(first, second);
  });
  std::vector<bool> repeated(downloads.size());
  for (size_t i = 1; i < sorted.size(); ++i) {
    const Download& before = downloads[sorted[i - 1]];
    const Download& download = downloads[sorted[i]];
    const std::string field = absl::StrCat("downloads[", sorted[i], "].dst");
    if (download.dst == before.dst) {
      repeated[sorted[i]] = SameSource(download, before);
      if (repeated[sorted[i]]) continue;
      return FieldError(field, absl::StrCat("is also the dst of downloads[", sorted[i - 1],
                                            "], which differs in source or flags"));
    }
    if (absl::StartsWith(download.dst, before.dst) && download.dst[before.dst.size()] == '/') {
      return FieldError(
          field, absl::StrCat("lies below downloads[", sorted[i - 1], "].dst, which is a file"));
    }
  }
  size_t kept = 0;
  for (size_t i = 0; i < downloads.size(); ++i) {
    if (repeated[i]) continue;
    if (kept != i) downloads[kept] = std::move(downloads[i]);
    ++kept;
  }
  downloads.resize(kept);
  return downloads;
}

// Takes the elements of `downloads` while the spec is parsed: the list can be very long, and is
// never kept as JSON.
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
  ASSIGN_OR_RETURN(std::vector<std::string> patterns, fields.Texts(key));
  for (size_t i = 0; i < patterns.size(); ++i) {
    const std::string written = patterns[i];
    patterns[i].erase(0, written.find_first_not_of('/'));
    if (patterns[i].size() < written.size()) {
      warnings.push_back(absl::StrCat(fields.ElementName(key, i), ": ", Quoted(written),
                                      " is read as ", Quoted(patterns[i]),
                                      ", since patterns are relative to the work folder"));
    }
    const auto glob = Glob::Parse(patterns[i]);
    if (!glob.ok()) return Annotate(glob.status(), fields.ElementName(key, i));
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
  if (spec.upload_url == "file://") {
    return FieldError("uploads.dst_url",
                      "file:// has no path; write file:///directory (was a variable empty?)");
  }
  // "file:///" keeps what belongs to its scheme.
  while (absl::EndsWith(spec.upload_url, "/") && !absl::EndsWith(spec.upload_url, "://")) {
    spec.upload_url.pop_back();
  }
  if (!spec.include_patterns.empty() && spec.upload_url.empty()) {
    return FieldError("uploads.dst_url", "is missing or empty, but there are include patterns");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadWorkingDir(const FieldReader& fields) {
  ASSIGN_OR_RETURN(const std::string text, fields.Text("working_dir"));
  auto path = CleanRelativePath(text);
  if (!path.ok()) return Annotate(path.status(), "working_dir");
  return path;
}

absl::StatusOr<Json> ReadParameters(const FieldReader& fields) {
  const Json* parameters = fields.Find("parameters");
  if (parameters == nullptr) return Json();
  if (!parameters->is_object()) return FieldError("parameters", "must be a JSON object");
  return *parameters;
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
