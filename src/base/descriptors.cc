#include "base/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace sparkles {
namespace {

// For standard streams, launcher, locks, state, signals, directory walks and connections to other
// services. 10 were in use when measured.
constexpr rlim_t kOthers = 20;

}  // namespace

int CountWithinDescriptors(int wanted, int each) {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  return CountWithinLimit(limit.rlim_cur, wanted, each);
}

int CountWithinLimit(rlim_t limit, int wanted, int each) {
  const rlim_t room = limit > kOthers ? limit - kOthers : 0;
  const rlim_t count = room / static_cast<rlim_t>(each);
  return static_cast<int>(std::clamp<rlim_t>(count, 1, static_cast<rlim_t>(wanted)));
}

}  // namespace sparkles
