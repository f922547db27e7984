// What a command and its machine used, as plain values. They stand here because two siblings share
// them: process/ measures, task/ writes them into result.json.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace sparkles {

// Of one command and everything that it started.
struct ResourceUsage {
  absl::Duration user_cpu;
  absl::Duration system_cpu;
  int64_t max_rss_kb = 0;  // the largest single process, in units of 1024 bytes (ru_maxrss)
  int64_t block_input_ops = 0;
  int64_t block_output_ops = 0;
  // From and to storage, caches not counted; of processes that somebody waited for.
  int64_t read_bytes = 0;
  int64_t write_bytes = 0;
  // Peaks of samples, or what is certain without any.
  int64_t peak_processes = 0;
  int64_t peak_rss_kb = 0;  // of all processes together, shared pages counted for each
};

// What is left on a file system.
struct DiskSpace {
  bool known = false;
  int64_t bytes = 0;  // for who is not root
  bool no_inodes = false;
};

// Of the whole machine while a command ran; zero where the machine does not tell.
struct MachineStats {
  std::string machine_type;  // Google's name, as "n1-standard-1"; may be empty
  int64_t memory_total = 0;  // bytes, as all memory here; in use = MemTotal - MemAvailable
  int64_t max_memory_in_use = 0;
  int64_t p95_memory_in_use = 0;
  int64_t median_memory_in_use = 0;
  int number_of_cpus = 0;
  double max_user_cpu_percent_usage = 0;  // user + nice time of all CPUs together: 0 to 100
  double p95_user_cpu_percent_usage = 0;
  double median_user_cpu_percent_usage = 0;
  int64_t samples = 0;   // of memory
  DiskSpace least_free;  // of the file system with the task's folder
};

}  // namespace sparkles
