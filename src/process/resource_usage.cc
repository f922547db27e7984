#include "process/resource_usage.h"

#include <algorithm>

namespace sparkles {

ResourceUsage ResourceUsageOf(const rusage& usage) {
  ResourceUsage result;
  result.user_cpu = absl::DurationFromTimeval(usage.ru_utime);
  result.system_cpu = absl::DurationFromTimeval(usage.ru_stime);
  result.max_rss_kb = usage.ru_maxrss;
  result.block_input_ops = usage.ru_inblock;
  result.block_output_ops = usage.ru_oublock;
  return result;
}

void Add(const ResourceUsage& part, ResourceUsage& total) {
  total.user_cpu += part.user_cpu;
  total.system_cpu += part.system_cpu;
  total.max_rss_kb = std::max(total.max_rss_kb, part.max_rss_kb);
  total.block_input_ops += part.block_input_ops;
  total.block_output_ops += part.block_output_ops;
  total.read_bytes += part.read_bytes;
  total.write_bytes += part.write_bytes;
  total.peak_processes = std::max(total.peak_processes, part.peak_processes);
  total.peak_rss_kb = std::max(total.peak_rss_kb, part.peak_rss_kb);
}

}  // namespace sparkles
