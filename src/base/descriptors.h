// Computes how many objects fit into the limit on open files (RLIMIT_NOFILE).
#pragma once

namespace sparkles {

// The number of objects, up to `wanted`, that this process can hold if each has `each` descriptors,
// besides the descriptors that the process always needs. At least 1.
int CountWithinDescriptors(int wanted, int each);

}  // namespace sparkles
