// Fuzzes the output of nvidia-smi. The first byte is the size of the pieces in which the output
// arrives. The pieces must not matter, the memory is bounded, and values are plausible or absent.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "base/text.h"
#include "process/gpu_record.h"
#include "tests/fuzz/require.h"

namespace sparkles {
namespace {

bool Same(const GpuUsage& a, const GpuUsage& b) {
  return a.index == b.index && a.name == b.name && a.samples == b.samples &&
         a.memory_total == b.memory_total && a.max_memory_used == b.max_memory_used &&
         a.max_gpu_percent_usage == b.max_gpu_percent_usage &&
         a.median_gpu_percent_usage == b.median_gpu_percent_usage;
}

void CheckUsage(const GpuUsage& usage) {
  Require(usage.index >= 0 && usage.index < kMaxGpus, "the index is in range");
  Require(usage.samples > 0, "there is a sample");
  Require(usage.name.size() <= 400, "names are short");
  Require(IsUtf8(usage.name) && !HasControlCharacter(usage.name), "names are printable");
  Require(usage.memory_total.value_or(0) >= 0, "memory is not negative");
  Require(usage.max_memory_used.value_or(0) >= 0, "used memory is not negative");
  const double median = usage.median_gpu_percent_usage.value_or(0);
  const double most = usage.max_gpu_percent_usage.value_or(0);
  Require(median >= 0 && median <= most && most <= 100, "utilization is a percentage");
}

void Check(size_t piece, absl::string_view output) {
  GpuGauges gauges;
  GpuGauges other_gauges;
  GpuRecord whole(gauges);
  GpuRecord pieces(other_gauges);
  whole.Add(output);
  for (size_t at = 0; at < output.size(); at += piece) pieces.Add(output.substr(at, piece));
  const std::vector<GpuUsage> usage = whole.Usage();
  const std::vector<GpuUsage> other = pieces.Usage();
  Require(usage.size() == other.size(), "the size of the pieces does not matter");
  for (size_t i = 0; i < usage.size(); ++i) {
    Require(Same(usage[i], other[i]), "the size of the pieces does not matter");
    CheckUsage(usage[i]);
  }
  for (size_t i = 0; i < gauges.size(); ++i) {
    Require(gauges[i].utilization >= GpuGauge::kUnknown && gauges[i].utilization <= 100,
            "the gauge is a percentage");
    Require(gauges[i].memory_used == other_gauges[i].memory_used, "the gauges are the same");
  }
}

}  // namespace
}  // namespace sparkles

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  sparkles::Check(data[0] % 64 + 1, {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
