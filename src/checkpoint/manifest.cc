#include "checkpoint/manifest.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

namespace sparkles {
namespace {

constexpr int64_t kVersion = 1;
constexpr uint32_t kModeBits = 0777;
constexpr size_t kSha256Digits = 64;
constexpr char kDataPrefix[] = "data-";
constexpr size_t kTagDigits = 8;

absl::Status Broken(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the manifest is broken: ", what));
}

bool IsHex(absl::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

bool IsSavedPath(absl::string_view path) {
  if (path.size() > kMaxCheckpointPathBytes) return false;
  const std::vector<absl::string_view> names = absl::StrSplit(path, '/');
  return std::all_of(names.begin(), names.end(), IsSavedName);
}

// The integer in the field `key` if it is between `least` and `most`.
absl::StatusOr<int64_t> ReadNumber(const Json& object, const char* key, int64_t least,
                                   int64_t most) {
  const std::optional<int64_t> number = JsonInteger(object, key);
  if (number && *number >= least && *number <= most) return *number;
  return Broken(absl::StrCat(key, " is missing or wrong"));
}

absl::StatusOr<absl::Time> ReadTime(const Json& object, const char* key) {
  // Up to the year 9999. Larger numbers could overflow in a calculation.
  constexpr int64_t kMaxMicros = 253'402'300'799'000'000;
  ASSIGN_OR_RETURN(const int64_t micros, ReadNumber(object, key, 0, kMaxMicros));
  return absl::FromUnixMicros(micros);
}

absl::StatusOr<SavedFile> ReadFileEntry(const Json& entry) {
  SavedFile file;
  file.path = JsonText(entry, "path");
  if (!IsSavedPath(file.path)) {
    return Broken(absl::StrCat("no file can have the path \"", PrintableText(file.path), "\""));
  }
  file.object = JsonText(entry, "object");
  if (!ParseDataObjectName(file.object)) {
    return Broken(absl::StrCat("wrong object name \"", PrintableText(file.object), "\""));
  }
  ASSIGN_OR_RETURN(const int64_t size, ReadNumber(entry, "size", 0, INT64_MAX));
  ASSIGN_OR_RETURN(const int64_t mode, ReadNumber(entry, "mode", 0, kModeBits));
  ASSIGN_OR_RETURN(const int64_t crc, ReadNumber(entry, "crc32c", 0, UINT32_MAX));
  ASSIGN_OR_RETURN(file.generation, ReadNumber(entry, "generation", 0, INT64_MAX));
  ASSIGN_OR_RETURN(file.mtime, ReadTime(entry, "mtime_us"));
  file.size = static_cast<uint64_t>(size);
  file.mode = static_cast<uint32_t>(mode);
  file.crc32c = static_cast<uint32_t>(crc);
  return file;
}

absl::Status CheckTogether(const std::vector<SavedFile>& files) {
  std::set<absl::string_view> paths;
  uint64_t bytes = 0;
  for (const SavedFile& file : files) {
    if (!paths.insert(file.path).second) {
      return Broken(absl::StrCat("it has ", PrintableText(file.path), " twice"));
    }
    if (file.size > static_cast<uint64_t>(INT64_MAX) - bytes) return Broken("impossible sizes");
    bytes += file.size;
  }
  for (const SavedFile& file : files) {
    for (size_t slash = file.path.find('/'); slash != std::string::npos;
         slash = file.path.find('/', slash + 1)) {
      const absl::string_view above = absl::string_view(file.path).substr(0, slash);
      if (paths.contains(above)) {
        return Broken(absl::StrCat(PrintableText(above), " is a file and a directory"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool IsSavedName(absl::string_view name) {
  return !name.empty() && name[0] != '.' && !absl::EndsWith(name, ".tmp") &&
         name.find('\0') == absl::string_view::npos && IsUtf8(std::string(name));
}

std::string FormatManifest(const Manifest& manifest) {
  // One file after another, because JSON values of many files take much memory.
  std::string text = absl::StrCat(
      R"({"version":)", kVersion, R"(,"attempt":)", manifest.attempt, R"(,"saved_at_us":)",
      absl::ToUnixMicros(manifest.saved_at), R"(,"spec_sha256":")", manifest.spec_sha256,
      R"(","task_created_us":)", absl::ToUnixMicros(manifest.task_created), R"(,"files":[)");
  bool first = true;
  for (const SavedFile& file : manifest.files) {
    if (!std::exchange(first, false)) text += ',';
    text += DumpJson(OrderedJson{{"path", file.path},
                                 {"object", file.object},
                                 {"size", file.size},
                                 {"mode", file.mode},
                                 {"mtime_us", std::max<int64_t>(absl::ToUnixMicros(file.mtime), 0)},
                                 {"crc32c", file.crc32c},
                                 {"generation", file.generation}});
  }
  return text + "]}";
}

absl::StatusOr<Manifest> ParseManifest(absl::string_view text) {
  const absl::StatusOr<Json> json = ParseJson(text, /*max_depth=*/4);
  if (!json.ok()) return Broken(json.status().message());
  RETURN_IF_ERROR(ReadNumber(*json, "version", kVersion, kVersion).status());
  Manifest manifest;
  ASSIGN_OR_RETURN(const int64_t attempt, ReadNumber(*json, "attempt", 1, 1'000'000));
  manifest.attempt = static_cast<int>(attempt);
  ASSIGN_OR_RETURN(manifest.saved_at, ReadTime(*json, "saved_at_us"));
  ASSIGN_OR_RETURN(manifest.task_created, ReadTime(*json, "task_created_us"));
  manifest.spec_sha256 = JsonText(*json, "spec_sha256");
  if (manifest.spec_sha256.size() != kSha256Digits || !IsHex(manifest.spec_sha256)) {
    return Broken("spec_sha256 is missing or wrong");
  }
  const Json* const files = JsonField(*json, "files");
  if (files == nullptr || !files->is_array()) return Broken("files is missing or wrong");
  if (files->size() > kMaxCheckpointFiles) return Broken("it has too many files");
  for (const Json& entry : *files) {
    ASSIGN_OR_RETURN(SavedFile file, ReadFileEntry(entry));
    manifest.files.push_back(std::move(file));
  }
  RETURN_IF_ERROR(CheckTogether(manifest.files));
  return manifest;
}

uint64_t TotalBytes(const std::vector<SavedFile>& files) {
  uint64_t bytes = 0;
  for (const SavedFile& file : files) bytes += file.size;
  return bytes;
}

std::string TaskTag(absl::string_view spec_sha256, absl::Time task_created) {
  const std::string text = absl::StrCat(spec_sha256, " ", absl::ToUnixMillis(task_created));
  return HexHash(HashKind::kSha256, text).substr(0, kTagDigits);
}

std::string DataObjectName(int attempt, absl::string_view tags, int64_t save, size_t index) {
  return absl::StrCat(kDataPrefix, attempt, "-", tags, "-", save, "-", index);
}

std::optional<DataObjectId> ParseDataObjectName(absl::string_view name) {
  constexpr size_t kMaxNameBytes = 100;
  if (name.size() > kMaxNameBytes || !absl::ConsumePrefix(&name, kDataPrefix)) return std::nullopt;
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '-');
  if (parts.size() != 4 || !std::all_of(parts.begin(), parts.end(), IsHex)) return std::nullopt;
  DataObjectId id;
  if (!absl::SimpleAtoi(parts[0], &id.attempt) || id.attempt < 1) return std::nullopt;
  if (parts[1].size() < kTagDigits) return std::nullopt;
  id.task_tag = std::string(parts[1].substr(0, kTagDigits));
  return id;
}

}  // namespace sparkles
