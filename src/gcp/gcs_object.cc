#include "gcp/gcs_object.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/json.h"
#include "base/text.h"

namespace sparkles {
namespace {

constexpr size_t kMaxNameBytes = 1024;
constexpr uint32_t kCrc32cOfNothing = 0;

// The reason why `object` cannot be the name of an object; empty if it can.
absl::string_view NameProblem(absl::string_view object) {
  if (object.empty()) return "names no object";
  if (object.size() > kMaxNameBytes) return "the object's name is longer than 1,024 bytes";
  if (!IsUtf8(object)) return "the object's name is not UTF-8";
  if (object.find_first_of("\r\n") != absl::string_view::npos)
    return "the object's name has a line end";
  if (object == "." || object == "..") return "no object can have this name";
  if (absl::EndsWith(object, "/")) return "is a directory, not an object";
  return "";
}

// A short form of Cloud Storage's rules. Refuses names that could change the meaning of a URL.
bool IsBucketName(absl::string_view bucket) {
  constexpr size_t kMaxBucketBytes = 222;
  if (bucket.empty() || bucket.size() > kMaxBucketBytes) return false;
  if (!absl::ascii_isalnum(static_cast<unsigned char>(bucket.front()))) return false;
  return std::all_of(bucket.begin(), bucket.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  });
}

// Only digits are allowed, without a sign or spaces.
std::optional<uint64_t> ParseNumber(absl::string_view text) {
  uint64_t number;
  const bool digits =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || !absl::SimpleAtoi(text, &number)) return std::nullopt;
  return number;
}

// Google writes 64-bit numbers as strings. JSON numbers are accepted, too.
std::optional<uint64_t> NumberAt(const Json& object, const char* key) {
  const Json* const found = JsonField(object, key);
  if (found == nullptr) return std::nullopt;
  if (found->is_number_unsigned()) return found->get<uint64_t>();
  return found->is_string() ? ParseNumber(found->get_ref<const std::string&>()) : std::nullopt;
}

}  // namespace

absl::StatusOr<GcsName> ParseGcsUrl(absl::string_view url) {
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "gs://")) {
    return absl::InvalidArgumentError(absl::StrCat(PrintableText(url), ": not a gs:// URL"));
  }
  const size_t slash = std::min(rest.find('/'), rest.size());
  const absl::string_view bucket = rest.substr(0, slash);
  const absl::string_view object = rest.substr(std::min(slash + 1, rest.size()));
  const absl::string_view problem =
      IsBucketName(bucket) ? NameProblem(object) : "no bucket can have this name";
  if (!problem.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(PrintableText(url), ": ", problem));
  }
  return GcsName{std::string(bucket), std::string(object)};
}

absl::StatusOr<GcsObject> ParseGcsObject(absl::string_view json) {
  const absl::StatusOr<Json> parsed = ParseJson(json);
  if (!parsed.ok() || !parsed->is_object()) {
    return absl::DataLossError("the server's description of the object is not readable");
  }
  auto size = NumberAt(*parsed, "size");
  const auto generation = NumberAt(*parsed, "generation");
  const auto crc32c = ParseCrc32c(JsonText(*parsed, "crc32c"));
  // Some servers leave out zeros, for example Google's storage testbench.
  if (!parsed->contains("size") && crc32c == kCrc32cOfNothing) size = 0;
  constexpr uint64_t kMaxGeneration = std::numeric_limits<int64_t>::max();
  if (!size || !crc32c || generation.value_or(0) == 0 || *generation > kMaxGeneration) {
    return absl::DataLossError(
        "the server's description of the object lacks size, generation or crc32c");
  }
  return GcsObject{*size, static_cast<int64_t>(*generation), *crc32c,
                   !JsonText(*parsed, "contentEncoding").empty()};
}

std::string FormatCrc32c(uint32_t crc) {
  const char bytes[] = {static_cast<char>(crc >> 24), static_cast<char>(crc >> 16),
                        static_cast<char>(crc >> 8), static_cast<char>(crc)};
  return absl::Base64Escape(absl::string_view(bytes, sizeof bytes));
}

std::optional<uint32_t> ParseCrc32c(absl::string_view text) {
  std::string bytes;
  if (!absl::Base64Unescape(text, &bytes) || bytes.size() != 4) return std::nullopt;
  uint32_t crc = 0;
  for (const char byte : bytes) crc = crc << 8 | static_cast<uint8_t>(byte);
  return crc;
}

std::optional<uint32_t> FindCrc32c(const HttpHeaders& headers) {
  for (const std::string& line : headers.All("X-Goog-Hash")) {
    for (absl::string_view hash : absl::StrSplit(line, ',')) {
      hash = absl::StripAsciiWhitespace(hash);
      if (absl::ConsumePrefix(&hash, "crc32c=")) return ParseCrc32c(hash);
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> FindNumber(const HttpHeaders& headers, absl::string_view name) {
  const std::string* const value = headers.Find(name);
  return value != nullptr ? ParseNumber(absl::StripAsciiWhitespace(*value)) : std::nullopt;
}

std::optional<ContentRange> ParseContentRange(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (!absl::ConsumePrefix(&text, "bytes ")) return std::nullopt;
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::ByAnyChar("-/"));
  if (parts.size() != 3) return std::nullopt;
  const auto first = ParseNumber(parts[0]);
  const auto last = ParseNumber(parts[1]);
  const auto total = ParseNumber(parts[2]);
  if (!first || !last || *first > *last) return std::nullopt;
  if (parts[2] == "*") return ContentRange{*first, *last, std::nullopt};
  if (!total || *last >= *total) return std::nullopt;
  return ContentRange{*first, *last, total};
}

std::optional<uint64_t> ParseKeptBytes(const HttpHeaders& headers) {
  const std::string* const range = headers.Find("Range");
  if (range == nullptr) return 0;
  absl::string_view text = absl::StripAsciiWhitespace(*range);
  if (!absl::ConsumePrefix(&text, "bytes=0-")) return std::nullopt;
  const auto last = ParseNumber(text);
  if (!last || *last == std::numeric_limits<uint64_t>::max()) return std::nullopt;
  return *last + 1;
}

}  // namespace sparkles
