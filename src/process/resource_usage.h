// Converts the kernel's resource usage of an ended process.
#pragma once

#include <sys/resource.h>

#include "base/usage.h"

namespace sparkles {

// The usage of one reaped process, including the children that it waited for.
ResourceUsage ResourceUsageOf(const rusage& usage);

// Adds `part` to `total`: sums times and counts, and keeps the larger of two peaks.
void Add(const ResourceUsage& part, ResourceUsage& total);

}  // namespace sparkles
