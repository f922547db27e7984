// Parses what Cloud Storage says about objects: URLs, JSON resources, checksums and ranges.
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
  std::string object;  // not percent-encoded
};

// The two parts of "gs://bucket/object". InvalidArgument, with a message that begins with the URL,
// if the bucket or object cannot have that name. An object's name has at most 1,024 bytes of UTF-8
// without line ends, is not "." or "..", and does not end with a slash (that is how directories are
// written).
absl::StatusOr<GcsName> ParseGcsUrl(absl::string_view url);

// One version of an object.
struct GcsObject {
  uint64_t size = 0;       // number of stored bytes
  int64_t generation = 0;  // greater than 0
  uint32_t crc32c = 0;     // of the stored bytes
  bool encoded = false;    // has a Content-Encoding
};

// Parses the JSON resource of an object. DataLoss if it is not JSON or lacks one of the numbers. An
// empty object may lack `size`.
absl::StatusOr<GcsObject> ParseGcsObject(absl::string_view json);

// Base64 of the four bytes, most significant first: Crc32c("") is "AAAAAA==".
std::string FormatCrc32c(uint32_t crc);
std::optional<uint32_t> ParseCrc32c(absl::string_view text);

// The crc32c of "X-Goog-Hash: crc32c=...,md5=...", in one header line or several.
std::optional<uint32_t> FindCrc32c(const HttpHeaders& headers);

// The decimal number in the header `name`; nullopt if the header is absent or has another value.
std::optional<uint64_t> FindNumber(const HttpHeaders& headers, absl::string_view name);

// The numbers of "bytes 5-9/20". `total` is nullopt for "bytes 5-9/*".
struct ContentRange {
  uint64_t first = 0;
  uint64_t last = 0;
  std::optional<uint64_t> total;
};
std::optional<ContentRange> ParseContentRange(absl::string_view text);

// The number of bytes that an upload session has kept: 42 for "Range: bytes=0-41", 0 without the
// header, and nullopt if the header has another value.
std::optional<uint64_t> ParseKeptBytes(const HttpHeaders& headers);

}  // namespace sparkles
