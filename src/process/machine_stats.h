// How busy the whole machine was while a task ran: result.json's machine_stats.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "base/usage.h"

namespace sparkles {

struct MemoryInfo {
  int64_t total_bytes = 0;
  int64_t available_bytes = 0;
};
// From the text of /proc/meminfo; nothing unless it has both MemTotal and MemAvailable.
std::optional<MemoryInfo> ParseMemoryInfo(absl::string_view meminfo);

// Ticks since boot, of all processors together.
struct CpuTicks {
  int64_t user = 0;  // user and nice
  int64_t total = 0;
  int processors = 0;
};
// From the text of /proc/stat; nothing unless it has the line of all processors.
std::optional<CpuTicks> ParseCpuTicks(absl::string_view stat);

// Samples once when made, then on a thread of its own as process/sample_pace.h says, and once when
// stopped. What /proc does not tell is 0. Machine-wide CPU is measured between samples.
class MachineSampler {
 public:
  // `folder` is where the task writes; empty: free space is not looked at.
  explicit MachineSampler(std::string folder = "", std::string proc_root = "/proc");
  ~MachineSampler();
  MachineSampler(const MachineSampler&) = delete;
  MachineSampler& operator=(const MachineSampler&) = delete;

  // Ends the sampling without waiting for its next second. machine_type is left empty. Call once.
  MachineStats Stop();

 private:
  class Sampling;
  std::unique_ptr<Sampling> sampling_;
};

}  // namespace sparkles
