// Fuzzes the parsers of object metadata. The input is tried as a resource, as a URL and as each
// header that the worker reads; accepted values must be consistent.
#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "gcp/gcs_object.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

void CheckResource(absl::string_view input) {
  const auto object = ParseGcsObject(input);
  if (object.ok()) {
    Require(object->generation > 0, "every object has a generation");
  } else {
    Require(absl::IsDataLoss(object.status()), "a bad resource is DataLoss");
  }
}

void CheckUrl(absl::string_view input) {
  const auto name = ParseGcsUrl(input);
  if (!name.ok()) return;
  Require(absl::StrCat("gs://", name->bucket, "/", name->object) == input, "no byte is lost");
  Require(!name->object.empty() && name->object.size() <= 1024, "the name has a sane length");
}

void CheckHeaders(absl::string_view input) {
  HttpHeaders headers;
  for (const char* header : {"X-Goog-Hash", "Range", "X-Goog-Generation"}) {
    headers.Add(header, input);
  }
  (void)FindCrc32c(headers);
  (void)FindNumber(headers, "X-Goog-Generation");
  (void)ParseKeptBytes(headers);
  const auto range = ParseContentRange(input);
  if (!range.has_value()) return;
  Require(range->first <= range->last, "a range has a byte at least");
  Require(range->last < range->total.value_or(std::numeric_limits<uint64_t>::max()) ||
              !range->total.has_value(),
          "a range lies within the whole");
}

void CheckCrc32c(absl::string_view input) {
  const auto crc = ParseCrc32c(input);
  if (crc.has_value()) Require(ParseCrc32c(FormatCrc32c(*crc)) == crc, "checksums survive");
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  sparkles::CheckResource(input);
  sparkles::CheckUrl(input);
  sparkles::CheckHeaders(input);
  sparkles::CheckCrc32c(input);
  return 0;
}
