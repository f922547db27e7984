// What the limit on open files (RLIMIT_NOFILE) leaves room for.
#pragma once

namespace sparkles {

// How many of `wanted` things, each of which holds `each` descriptors, fit into this process beside
// what it needs in any case. At least 1.
int CountWithinDescriptors(int wanted, int each);

}  // namespace sparkles
