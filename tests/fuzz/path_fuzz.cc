// Fuzzes CleanRelativePath: a path that it accepts must stay inside its directory.

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_split.h"
#include "base/path.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

void Check(absl::string_view input) {
  const absl::StatusOr<std::string> clean = CleanRelativePath(input);
  if (!clean.ok()) {
    Require(absl::IsInvalidArgument(clean.status()), "a bad path is InvalidArgument");
    return;
  }
  Require(clean->find('\0') == std::string::npos, "no NUL");
  const absl::StatusOr<std::string> again = CleanRelativePath(*clean);
  Require(again.ok() && *again == *clean, "cleaning twice is cleaning once");
  if (*clean == ".") return;
  for (const absl::string_view element : absl::StrSplit(*clean, '/')) {
    Require(!element.empty(), "neither absolute nor with an empty element");
    Require(element != "." && element != "..", "no dots left");
  }
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
