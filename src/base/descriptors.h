// Computes how many objects fit into the limit on open files (RLIMIT_NOFILE).
#pragma once

#include <sys/resource.h>

namespace sparkles {

// The number of objects, up to `wanted`, that this process can hold if each has `each` descriptors,
// besides the descriptors that the process always needs. At least 1.
int CountWithinDescriptors(int wanted, int each);
// The same for a process with this limit.
int CountWithinLimit(rlim_t limit, int wanted, int each);

}  // namespace sparkles
