// Fuzzes the parsers of /proc with files as another kernel, a container or lxcfs may write them.
// Numbers must be plausible or absent.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "process/machine_stats.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

void Check(absl::string_view input) {
  if (const auto memory = ParseMemoryInfo(input)) {
    Require(memory->total_bytes >= 0 && memory->available_bytes >= 0, "memory is not negative");
  }
  if (const auto ticks = ParseCpuTicks(input)) {
    Require(ticks->user >= 0 && ticks->total >= 0, "time is not negative");
    Require(ticks->user <= ticks->total, "a part is no more than the whole");
    Require(ticks->processors >= 0, "processors are counted");
  }
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sparkles::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
