#include "base/delayed_cancel.h"

#include <gtest/gtest.h>
#include <poll.h>

namespace sparkles {
namespace {

TEST(DelayedCancelTest, FollowsFirstTokenAfterGrace) {
  CancelToken first;
  const DelayedCancel late(first, absl::Milliseconds(1));
  EXPECT_FALSE(late.token().cancelled());
  first.Cancel(CancelKind::kHandBack, "SIGTERM");
  pollfd waited{late.token().fd(), POLLIN, 0};
  ASSERT_EQ(poll(&waited, 1, 20'000), 1);
  EXPECT_EQ(late.token().kind(), CancelKind::kHandBack);
  EXPECT_EQ(late.token().reason(), "SIGTERM");
}

TEST(DelayedCancelTest, StaysUncancelledDuringGrace) {
  CancelToken first;
  const DelayedCancel late(first, absl::Hours(1));
  first.Cancel(CancelKind::kHandBack, "SIGTERM");
  pollfd waited{late.token().fd(), POLLIN, 0};
  EXPECT_EQ(poll(&waited, 1, 5), 0);
}

TEST(DelayedCancelTest, DestructorDoesNotAwaitGrace) {
  CancelToken first;
  {
    const DelayedCancel before(first, absl::Hours(1));
  }
  first.Cancel(CancelKind::kKilled, "killed");
  {
    const DelayedCancel after(first, absl::Hours(1));
  }
}

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
