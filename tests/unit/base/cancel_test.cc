#include "base/cancel.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <thread>

#include "tests/support/few_descriptors.h"

namespace sparkles {
namespace {

bool IsReadable(int fd) {
  pollfd waited{fd, POLLIN, 0};
  return poll(&waited, 1, 0) == 1 && (waited.revents & POLLIN) != 0;
}

TEST(CancelTokenTest, IsNotCancelledWhenNew) {
  const CancelToken token;
  EXPECT_FALSE(token.cancelled());
  EXPECT_EQ(token.kind(), CancelKind::kNone);
  EXPECT_EQ(token.reason(), "");
  EXPECT_FALSE(IsReadable(token.fd()));
}

TEST(CancelTokenTest, CancelSetsKindReasonAndDescriptor) {
  CancelToken token;
  token.Cancel(CancelKind::kKilled, "the job was killed");
  EXPECT_TRUE(token.cancelled());
  EXPECT_EQ(token.kind(), CancelKind::kKilled);
  EXPECT_EQ(token.reason(), "the job was killed");
  EXPECT_TRUE(IsReadable(token.fd()));
}

TEST(CancelTokenTest, FirstCancelReasonIsKept) {
  CancelToken token;
  token.Cancel(CancelKind::kHandBack, "SIGTERM");
  token.Cancel(CancelKind::kKilled, "the job was killed");
  EXPECT_EQ(token.kind(), CancelKind::kHandBack);
  EXPECT_EQ(token.reason(), "SIGTERM");
}

TEST(CancelTokenTest, CancelOfKindNoneIsIgnored) {
  CancelToken token;
  token.Cancel(CancelKind::kNone, "nothing");
  EXPECT_FALSE(token.cancelled());
  EXPECT_EQ(token.reason(), "");
}

TEST(CancelTokenTest, ParentCancelReachesAllDescendants) {
  CancelToken parent;
  const CancelToken first(&parent);
  CancelToken second(&parent);
  const CancelToken grandchild(&second);
  parent.Cancel(CancelKind::kHandBack, "SIGTERM");
  for (const CancelToken* token : {&first, static_cast<const CancelToken*>(&second), &grandchild}) {
    EXPECT_EQ(token->kind(), CancelKind::kHandBack);
    EXPECT_EQ(token->reason(), "SIGTERM");
    EXPECT_TRUE(IsReadable(token->fd()));
  }
}

TEST(CancelTokenTest, ChildOfCancelledParentIsCancelled) {
  CancelToken parent;
  parent.Cancel(CancelKind::kClaimLost, "reset");
  const CancelToken child(&parent);
  EXPECT_EQ(child.kind(), CancelKind::kClaimLost);
  EXPECT_EQ(child.reason(), "reset");
  EXPECT_TRUE(IsReadable(child.fd()));
}

TEST(CancelTokenTest, ChildCancelSparesParentAndSiblings) {
  CancelToken parent;
  CancelToken child(&parent);
  const CancelToken sibling(&parent);
  child.Cancel(CancelKind::kAbort, "a sibling failed");
  EXPECT_FALSE(parent.cancelled());
  EXPECT_FALSE(sibling.cancelled());
}

TEST(CancelTokenTest, ChildKeepsItsEarlierReason) {
  CancelToken parent;
  CancelToken child(&parent);
  child.Cancel(CancelKind::kKilled, "the job was killed");
  parent.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_EQ(child.kind(), CancelKind::kKilled);
}

TEST(CancelTokenTest, CancelWorksAfterChildIsDestroyed) {
  CancelToken parent;
  auto gone = std::make_unique<CancelToken>(&parent);
  const CancelToken stays(&parent);
  gone.reset();
  parent.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_TRUE(stays.cancelled());
}

TEST(CancelTokenTest, HurryReachesExistingAndNewChildren) {
  CancelToken parent;
  const CancelToken child(&parent);
  parent.Hurry();
  EXPECT_FALSE(parent.hurried()) << "a hurry needs a cancellation";
  parent.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_FALSE(child.hurried());
  parent.Hurry();
  EXPECT_TRUE(child.hurried());
  EXPECT_TRUE(CancelToken(&parent).hurried());
}

TEST(CancelTokenTest, AwaitCancelEndsWithEitherToken) {
  for (const bool blind : {false, true}) {
    const FewDescriptors limit(blind ? 0 : 100);
    CancelToken awaited;
    CancelToken given_up;
    std::thread canceller([&] { given_up.Cancel(CancelKind::kAbort, ""); });
    EXPECT_FALSE(AwaitCancel(awaited, given_up));
    canceller.join();
    awaited.Cancel(CancelKind::kAbort, "");
    EXPECT_TRUE(AwaitCancel(awaited, given_up));
  }
}

TEST(CancelTokenTest, CancelWorksWithoutDescriptor) {
  const FewDescriptors none(0);
  CancelToken token;
  EXPECT_EQ(token.fd(), -1);
  token.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_TRUE(token.cancelled());
}

TEST(CancelTokenTest, ChildrenMayChangeDuringParentCancel) {
  CancelToken parent;
  std::thread family([&parent] {
    for (int i = 0; i < 200 && !parent.cancelled(); ++i) const CancelToken child(&parent);
  });
  parent.Cancel(CancelKind::kHandBack, "SIGTERM");
  family.join();
  EXPECT_TRUE(CancelToken(&parent).cancelled());
}

}  // namespace
}  // namespace sparkles
