// Objects of Cloud Storage as it writes of them: URLs, JSON resources, checksums, ranges.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "http/transport.h"

namespace sparkles {

struct GcsName {
  std::string bucket;
  std::string object;  // as it is, nothing encoded
};

// The two parts of "gs://bucket/object". InvalidArgument, beginning with the URL, for what cannot
// be the name of an object: over 1,024 bytes, malformed UTF-8, line ends, ".", "..", a slash at its
// end (that is how folders are written).
absl::StatusOr<GcsName> ParseGcsUrl(absl::string_view url);

// One version of an object.
struct GcsObject {
  uint64_t size = 0;       // bytes, as stored
  int64_t generation = 0;  // greater than 0
  uint32_t crc32c = 0;     // of the stored bytes
  bool encoded = false;    // has a Content-Encoding
};

// The JSON resource of an object. DataLoss if it is cut, is no JSON, or lacks one of the numbers;
// an empty object may lack `size`.
absl::StatusOr<GcsObject> ParseGcsObject(absl::string_view json);

// Base64 of the four bytes, most significant first: Crc32c("") is "AAAAAA==".
std::string FormatCrc32c(uint32_t crc);
std::optional<uint32_t> ParseCrc32c(absl::string_view text);

// The crc32c of "X-Goog-Hash: crc32c=...,md5=...", in one header line or several.
std::optional<uint32_t> FindCrc32c(const HttpHeaders& headers);

// A whole number of decimal digits in a header; nullopt if it is absent or anything else.
std::optional<uint64_t> FindNumber(const HttpHeaders& headers, absl::string_view name);

// "bytes 5-9/20": 5, 9 and 20 (nullopt for "*").
struct ContentRange {
  uint64_t first = 0;
  uint64_t last = 0;
  std::optional<uint64_t> total;
};
std::optional<ContentRange> ParseContentRange(absl::string_view text);

// How many bytes an upload session says it has kept: "Range: bytes=0-41" is 42, no such header 0;
// nullopt if the header is something else.
std::optional<uint64_t> ParseKeptBytes(const HttpHeaders& headers);

}  // namespace sparkles
