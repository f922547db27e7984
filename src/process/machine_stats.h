// How busy the whole machine was while a task ran: result.json's machine_stats.
// The one hard idea: a task may run for weeks, so samples are merged in pairs when there are too
// many, which keeps memory bounded and the percentiles honest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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

// Numbers in bounded memory.
class SampleSeries {
 public:
  // Beyond `capacity` (even, at least 2) samples, neighbours are merged to their mean.
  explicit SampleSeries(size_t capacity = 4096) : capacity_(capacity) {}

  void Add(double value);
  bool empty() const { return count_ == 0; }
  // The largest value ever added; 0 if there is none.
  double max() const { return max_; }
  // With linear interpolation between neighbours; `fraction` from 0 to 1; 0 if there is none.
  double Percentile(double fraction) const;

 private:
  const size_t capacity_;
  std::vector<double> means_;  // each of `stride_` values, the last incomplete group left out
  size_t stride_ = 1;
  size_t count_ = 0;        // of all values ever added
  double group_sum_ = 0;    // of the incomplete group
  size_t group_count_ = 0;  // its values, less than stride_
  double max_ = 0;
};

// Samples once when made, every second on a thread of its own, and once when stopped. What /proc
// does not tell is 0. Machine-wide CPU is measured between samples.
class MachineSampler {
 public:
  explicit MachineSampler(std::string proc_root = "/proc");
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
