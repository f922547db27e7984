// What a command used, as the kernel tells at its end.
#pragma once

#include <sys/resource.h>

#include "base/usage.h"

namespace sparkles {

// From one reaped process (and the children that it waited for).
ResourceUsage ResourceUsageOf(const rusage& usage);

// Sums times and counts, and keeps the larger peak.
void Add(const ResourceUsage& part, ResourceUsage& total);

}  // namespace sparkles
