#include "base/descriptors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace sparkles {
namespace {

// Sets the soft limit on open files, and restores the old limit at the end.
class ScopedLimit {
 public:
  explicit ScopedLimit(rlim_t limit) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit changed{limit, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &changed);
  }
  ~ScopedLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

TEST(Descriptors, OrdinaryLimitKeepsCount) {
  const ScopedLimit limit(1024);
  EXPECT_EQ(CountWithinDescriptors(32, 6), 32);
}

TEST(Descriptors, LowLimitReducesCount) {
  const ScopedLimit limit(64);
  EXPECT_EQ(CountWithinDescriptors(32, 6), 7);
}

TEST(Descriptors, CountIsAtLeastOne) {
  const ScopedLimit limit(8);
  EXPECT_EQ(CountWithinDescriptors(32, 6), 1);
}

}  // namespace
}  // namespace sparkles
