// Samples the load of the whole machine while a task runs, for machine_stats in result.json.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/usage.h"
#include "process/gpu_sampler.h"

namespace sparkles {

struct MemoryInfo {
  int64_t total_bytes = 0;
  int64_t available_bytes = 0;
};
// From the text of /proc/meminfo. nullopt if MemTotal or MemAvailable is missing.
std::optional<MemoryInfo> ParseMemoryInfo(absl::string_view meminfo);

// Ticks since boot, summed over all processors.
struct CpuTicks {
  int64_t user = 0;  // user and nice
  int64_t total = 0;
  int processors = 0;
};
// From the text of /proc/stat. nullopt if the line of all processors is missing.
std::optional<CpuTicks> ParseCpuTicks(absl::string_view stat);

// Samples once at construction, then on its own thread at the intervals of process/sample_pace.h,
// and once in Stop. Values that /proc does not provide are 0. CPU usage is measured between two
// samples.
class MachineSampler {
 public:
  // `directory` is on the file system that the task writes to. If it is empty, free space is not
  // sampled. `gpus` is borrowed; if it is null, GPUs are not sampled.
  explicit MachineSampler(std::string directory = "", std::string proc_root = "/proc",
                          GpuSampler* gpus = nullptr);
  ~MachineSampler();
  MachineSampler(const MachineSampler&) = delete;
  MachineSampler& operator=(const MachineSampler&) = delete;

  // Ends the sampling at once. Leaves machine_type empty. Call once.
  MachineStats Stop();

 private:
  class Sampling;
  std::unique_ptr<Sampling> sampling_;
};

}  // namespace sparkles
