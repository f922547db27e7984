// What a command used, as the kernel tells at its end.
#pragma once

#include <sys/resource.h>

#include <cstdint>

#include "absl/time/time.h"

namespace sparkles {

struct ResourceUsage {
  absl::Duration user_cpu;
  absl::Duration system_cpu;
  int64_t max_rss_kb = 0;  // the largest single process, in units of 1024 bytes (ru_maxrss)
  int64_t block_input_ops = 0;
  int64_t block_output_ops = 0;
};

// From one reaped process (and the children that it waited for).
ResourceUsage ResourceUsageOf(const rusage& usage);

// Sums times and counts, and keeps the larger peak.
void Add(const ResourceUsage& part, ResourceUsage& total);

}  // namespace sparkles
