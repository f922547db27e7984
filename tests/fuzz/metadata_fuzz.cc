// Fuzzes the metadata client with any answers, as from a captive portal.
#include <cstddef>
#include <cstdint>

#include "absl/strings/match.h"
#include "base/text.h"
#include "gcp/metadata_server.h"
#include "tests/fuzz/fuzz_server.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

void Check(absl::string_view input) {
  FuzzServer server(input);
  FuzzClock clock;
  const CancelToken never;
  MetadataServer metadata({"169.254.169.254", true}, server, clock);
  const auto identity = metadata.Identity(never);
  if (identity.ok()) {
    Require(!absl::StartsWith(identity->owner, "/") && !absl::EndsWith(identity->owner, "/") &&
                absl::StrContains(identity->owner, "/"),
            "an owner has a zone and a name");
    Require(!absl::StrContains(identity->owner, "//"), "no part of an owner is empty");
    Require(!HasControlCharacter(identity->owner), "an owner is one line");
  }
  const auto preempted =
      metadata.WaitForChange("instance/preempted", "0", absl::Seconds(60), never);
  if (preempted.ok()) {
    Require(preempted->text.empty() || preempted->text.front() != ' ', "a value is stripped");
  }
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
