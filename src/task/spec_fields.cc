#include "task/spec_fields.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/glob.h"
#include "base/path.h"
#include "base/status.h"

namespace sparkles {
namespace {

constexpr absl::string_view kLogName = "stdout.txt";
// The longest name of a file on Linux (NAME_MAX in linux/limits.h).
constexpr size_t kMaxNameBytes = 255;
constexpr size_t kSha256HexDigits = 64;

// Arguments, paths and URLs cannot contain a NUL.
absl::StatusOr<std::string> TextOf(const Json& value, const std::string& name) {
  if (!value.is_string()) return FieldError(name, "must be a string");
  const std::string& text = value.get_ref<const std::string&>();
  if (absl::StrContains(text, '\0')) return FieldError(name, "holds a NUL character");
  return text;
}

bool IsSha256Hex(absl::string_view text) {
  return text.size() == kSha256HexDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isxdigit(static_cast<unsigned char>(c));
         });
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

}  // namespace

absl::Status FieldError(absl::string_view field, absl::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", reason));
}

absl::StatusOr<FieldReader> FieldReader::Of(const Json& object, std::string name) {
  if (!object.is_object()) {
    return FieldError(name.empty() ? "args" : name, "must be a JSON object");
  }
  return FieldReader(object, std::move(name));
}

std::string FieldReader::NameOf(absl::string_view key) const {
  return name_.empty() ? std::string(key) : absl::StrCat(name_, ".", key);
}

std::string FieldReader::ElementName(absl::string_view key, size_t index) const {
  return absl::StrCat(NameOf(key), "[", index, "]");
}

const Json* FieldReader::Find(absl::string_view key) const {
  return JsonValue(object_, std::string(key).c_str());
}

absl::StatusOr<std::string> FieldReader::Text(absl::string_view key) const {
  const Json* value = Find(key);
  if (value == nullptr) return std::string();
  return TextOf(*value, NameOf(key));
}

absl::StatusOr<std::string> FieldReader::RequiredText(absl::string_view key) const {
  ASSIGN_OR_RETURN(std::string text, Text(key));
  if (text.empty()) return FieldError(NameOf(key), "is missing or empty");
  return text;
}

absl::StatusOr<bool> FieldReader::Flag(absl::string_view key) const {
  const Json* value = Find(key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) return FieldError(NameOf(key), "must be true or false");
  return value->get<bool>();
}

absl::StatusOr<const Json*> FieldReader::List(absl::string_view key) const {
  const Json* value = Find(key);
  if (value != nullptr && !value->is_array()) return FieldError(NameOf(key), "must be a list");
  return value;
}

absl::StatusOr<std::string> FieldReader::ElementText(const Json& element, absl::string_view key,
                                                     size_t index) const {
  return TextOf(element, ElementName(key, index));
}

absl::Status CheckScriptSize(absl::string_view name, const std::string& script) {
  if (script.size() <= kMaxCommandBytes) return absl::OkStatus();
  return FieldError(name, absl::StrCat("is longer than ", kMaxCommandBytes,
                                       " bytes, Linux's limit for one argument"));
}

absl::StatusOr<std::string> CleanDestination(absl::string_view text, const std::string& field) {
  auto path = CleanRelativePath(text);
  if (!path.ok()) return Annotate(path.status(), field);
  if (*path == ".") return FieldError(field, "is the work directory itself");
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

std::vector<bool> FindRepeats(const std::vector<Download>& downloads,
                              absl::FunctionRef<void(absl::Status)> conflict) {
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
      conflict(FieldError(field, absl::StrCat("is also the dst of downloads[", sorted[i - 1],
                                              "], which differs in source or flags")));
    } else if (absl::StartsWith(download.dst, before.dst) &&
               download.dst[before.dst.size()] == '/') {
      conflict(FieldError(
          field, absl::StrCat("lies below downloads[", sorted[i - 1], "].dst, which is a file")));
    }
  }
  return repeated;
}

absl::StatusOr<std::string> ReadPattern(const std::string& written, const std::string& field) {
  std::string pattern = written;
  pattern.erase(0, written.find_first_not_of('/'));
  const auto glob = Glob::Parse(pattern);
  if (!glob.ok()) return Annotate(glob.status(), field);
  return pattern;
}

absl::Status CheckUploadUrl(absl::string_view url) {
  if (url != "file://") return absl::OkStatus();
  return FieldError("uploads.dst_url",
                    "file:// has no path; write file:///directory (was a variable empty?)");
}

absl::Status CheckPatternsHavePlace(absl::string_view url) {
  if (!url.empty()) return absl::OkStatus();
  return FieldError("uploads.dst_url", "is missing or empty, but there are include patterns");
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

}  // namespace sparkles
