// Reads the limits of this process's control group.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sparkles {

// nullopt means that there is no limit, or that the limit is unknown.
struct GroupLimits {
  std::optional<int64_t> memory_bytes;
  std::optional<int64_t> pids;          // processes and threads
  std::optional<int64_t> pids_running;  // processes and threads that exist now
  std::optional<double> processors;     // CPU time for each second; may be a fraction
};

// The limits of the group itself. A group above it may have lower limits, which a container does
// not see.
GroupLimits ReadGroupLimits(const std::string& proc_root = "/proc");

}  // namespace sparkles
