// Fuzzes the parser of checkpoint manifests. What it accepts must stay inside the checkpoint
// directory and survive another round.

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/str_split.h"
#include "checkpoint/manifest.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

void Check(absl::string_view text) {
  const absl::StatusOr<Manifest> manifest = ParseManifest(text);
  if (!manifest.ok()) return;
  std::set<std::string> paths;
  for (const SavedFile& file : manifest->files) {
    Require(paths.insert(file.path).second, "each path occurs once");
    for (const absl::string_view name : absl::StrSplit(file.path, '/')) {
      Require(!name.empty() && name != "." && name != "..", "no path leaves the directory");
    }
    Require(file.object.find('/') == std::string::npos, "no object is in another directory");
    Require(file.mode <= 0777, "no file gets more than permission bits");
  }
  (void)TotalBytes(manifest->files);
  const absl::StatusOr<Manifest> again = ParseManifest(FormatManifest(*manifest));
  Require(again.ok(), "a manifest can be written again");
  Require(again->files == manifest->files && again->saved_at == manifest->saved_at,
          "another round changes nothing");
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
