// Reads the number of processes, their memory and the load of the machine from /proc.
// There is always a result. Values that the kernel does not provide (no /proc, hidepid, no PSI, a
// process that has just ended) are left out.
#pragma once

#include <cstdint>
#include <string>

namespace sparkles {

// The fields of proto/monitor.proto. An unknown value is 0, an unknown pressure is -1.
struct ProcessStatus {
  int32_t process_count = 0;
  // Bytes, sums over all processes.
  int64_t total_memory = 0;
  int64_t total_data = 0;
  int64_t total_shared = 0;
  int64_t total_resident = 0;
  // Ticks since boot, summed over all processors.
  int64_t cpu_user = 0;
  int64_t cpu_system = 0;
  int64_t cpu_idle = 0;
  int64_t cpu_iowait = 0;
  // Bytes.
  int64_t mem_total = 0;
  int64_t mem_available = 0;
  int64_t mem_free = 0;
  // Percent times 100.
  int32_t mem_pressure_some_avg10 = -1;
  int32_t mem_pressure_full_avg10 = -1;
};

// Opens one file for each process of the machine, so cache the result (status_cache.h).
ProcessStatus ReadProcessStatus(const std::string& proc_root = "/proc");

}  // namespace sparkles
