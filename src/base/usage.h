// Plain values of the resources that a command and its machine used.
// They are in base/ because process/ measures them and task/ writes them into result.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace sparkles {

// Of one command and all processes that it started.
struct ResourceUsage {
  absl::Duration user_cpu;
  absl::Duration system_cpu;
  int64_t max_rss_kb = 0;  // the largest single process, in units of 1024 bytes (ru_maxrss)
  int64_t block_input_ops = 0;
  int64_t block_output_ops = 0;
  // Bytes from and to storage, without caches, of processes that were waited for.
  int64_t read_bytes = 0;
  int64_t write_bytes = 0;
  // Peaks of samples, or lower bounds if there were no samples.
  int64_t peak_processes = 0;
  int64_t peak_rss_kb = 0;  // all processes together; shared pages count for each
};

// The free space of a file system.
struct DiskSpace {
  bool known = false;
  int64_t bytes = 0;  // for users other than root
  bool no_inodes = false;
};

// Of one GPU while a command ran. Values that the GPU does not provide are absent.
struct GpuUsage {
  int index = 0;  // as nvidia-smi counts, from 0
  std::string name;
  std::optional<int64_t> memory_total;  // bytes
  std::optional<int64_t> max_memory_used;
  std::optional<double> max_gpu_percent_usage;  // 0 to 100
  std::optional<double> median_gpu_percent_usage;
  int64_t samples = 0;
};

// Of the whole machine while a command ran; zero if the machine does not provide the value.
struct MachineStats {
  std::string machine_type;  // Google's name, such as "n1-standard-1"; may be empty
  int64_t memory_total = 0;  // bytes, as all memory here; used = MemTotal - MemAvailable
  int64_t max_memory_in_use = 0;
  int64_t p95_memory_in_use = 0;
  int64_t median_memory_in_use = 0;
  int number_of_cpus = 0;
  double max_user_cpu_percent_usage = 0;  // user + nice time of all CPUs together: 0 to 100
  double p95_user_cpu_percent_usage = 0;
  double median_user_cpu_percent_usage = 0;
  int64_t samples = 0;         // number of memory samples
  DiskSpace least_free;        // of the file system with the task's directory
  std::vector<GpuUsage> gpus;  // by index; empty if no GPU gave a sample
};

}  // namespace sparkles
