// Reads the output of nvidia-smi, and records the use of each GPU in bounded memory.
// nvidia-smi may be any program: the output is as untrusted as that of a server.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/gpu_gauges.h"
#include "base/usage.h"
#include "process/sample_series.h"

namespace sparkles {

// The fields that ParseGpuLine expects, for nvidia-smi's flag --query-gpu.
constexpr char kGpuFields[] = "index,name,memory.total,memory.used,utilization.gpu";

struct GpuSample {
  int index = 0;                        // 0 to kMaxGpus - 1
  std::string name;                     // printable, at most 100 bytes before escapes; may be empty
  std::optional<int64_t> memory_total;  // bytes
  std::optional<int64_t> memory_used;   // bytes
  std::optional<int> utilization;       // percent, 0 to 100
};
// From one line of CSV without units: memory in MiB, utilization in percent. The name may contain
// commas. A value that is no plausible number, such as "[N/A]", is absent. nullopt if the line has
// too few fields, another index, or no value at all.
std::optional<GpuSample> ParseGpuLine(absl::string_view line);

// Not thread-safe.
class GpuRecord {
 public:
  // Sets `gauges` (borrowed) to the latest sample of each GPU.
  explicit GpuRecord(GpuGauges& gauges) : gauges_(gauges) {}

  // The next bytes of the output, cut anywhere. Ignores lines that are too long or are no sample.
  void Add(absl::string_view text);

  // The GPUs with at least one sample, by index.
  std::vector<GpuUsage> Usage() const;

 private:
  struct Gpu {
    int64_t samples = 0;
    std::string name;  // of the first sample
    std::optional<int64_t> memory_total;
    std::optional<int64_t> max_memory_used;
    SampleSeries utilization;
  };

  void AddLine(absl::string_view line);

  GpuGauges& gauges_;
  std::string line_;         // the unfinished line
  bool skips_line_ = false;  // the unfinished line is too long
  std::array<Gpu, kMaxGpus> gpus_;
};

}  // namespace sparkles
