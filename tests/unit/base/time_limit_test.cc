#include "base/time_limit.h"

#include <gtest/gtest.h>
#include <poll.h>

namespace sparkles {
namespace {

TEST(TimeLimitTest, TokenIsCancelledAtLimit) {
  const CancelToken parent;
  const TimeLimit limit(parent, absl::Milliseconds(1));
  pollfd waited{limit.token().fd(), POLLIN, 0};
  ASSERT_EQ(poll(&waited, 1, 20'000), 1);
  EXPECT_TRUE(limit.token().cancelled());
  EXPECT_FALSE(parent.cancelled());
}

TEST(TimeLimitTest, ParentCancelReachesToken) {
  CancelToken parent;
  const TimeLimit limit(parent, absl::Hours(1));
  EXPECT_FALSE(limit.token().cancelled());
  parent.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_EQ(limit.token().kind(), CancelKind::kHandBack);
  EXPECT_EQ(limit.token().reason(), "SIGTERM");
}

}  // namespace
}  // namespace sparkles
