// How many processes there are, what memory they use, and how busy the machine is: from /proc.
// The one hard idea: whatever the kernel does not tell (no /proc, hidepid, no PSI, a process that
// has just ended) is left out without a word; there is always an answer.
#pragma once

#include <cstdint>
#include <string>

namespace sparkles {

// Fields as in proto/monitor.proto. What is unknown is 0, pressure -1.
struct ProcessStatus {
  int32_t process_count = 0;
  // Bytes, sums over all processes.
  int64_t total_memory = 0;
  int64_t total_data = 0;
  int64_t total_shared = 0;
  int64_t total_resident = 0;
  // Ticks since boot, all processors together.
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

// Costs an open, a read and a close for each process.
ProcessStatus ReadProcessStatus(const std::string& proc_root = "/proc");

}  // namespace sparkles
