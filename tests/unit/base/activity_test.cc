#include "base/activity.h"

#include <gtest/gtest.h>

namespace sparkles {
namespace {

class ActivityTest : public testing::Test {
 protected:
  CancelToken cancel_;
  Heartbeat heartbeat_;
  uint64_t bytes_ = 0;
  int reports_ = 0;
  const Activity activity_{cancel_, &heartbeat_, [this](uint64_t bytes) {
                             bytes_ += bytes;
                             ++reports_;
                           }};
};

TEST_F(ActivityTest, OnlyWorkIsSignOfLife) {
  EXPECT_TRUE(activity_.ReportBytes(5).ok());
  EXPECT_TRUE(activity_.ReportWork().ok());
  EXPECT_EQ(heartbeat_.beats(), 2);
  EXPECT_TRUE(activity_.ReportWait().ok());
  EXPECT_EQ(heartbeat_.beats(), 2);
  EXPECT_EQ(reports_, 3);
  EXPECT_EQ(bytes_, 5);
}

TEST_F(ActivityTest, CancelledActivityReturnsReason) {
  cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
  EXPECT_EQ(activity_.ReportBytes(5), absl::CancelledError("SIGTERM"));
  EXPECT_EQ(activity_.ReportWait(), absl::CancelledError("SIGTERM"));
  EXPECT_EQ(bytes_, 5) << "what has moved counts";
}

TEST_F(ActivityTest, PartReportsToWhole) {
  uint64_t of_part = 0;
  const Activity part(activity_, [&](uint64_t bytes) { of_part += bytes; });
  EXPECT_TRUE(part.ReportBytes(3).ok());
  EXPECT_TRUE(activity_.ReportBytes(4).ok());
  EXPECT_EQ(of_part, 3);
  EXPECT_EQ(bytes_, 7);
  EXPECT_EQ(heartbeat_.beats(), 2);
  cancel_.Cancel(CancelKind::kKilled, "killed");
  EXPECT_TRUE(absl::IsCancelled(part.ReportWait()));
}

TEST_F(ActivityTest, PartWithOwnTokenStopsAlone) {
  CancelToken stop(&cancel_);
  const Activity part(activity_, stop);
  stop.Cancel(CancelKind::kAbort, "another slice has failed");
  EXPECT_EQ(part.ReportBytes(3), absl::CancelledError("another slice has failed"));
  EXPECT_TRUE(activity_.ReportWait().ok());
  EXPECT_EQ(bytes_, 3);
  EXPECT_EQ(heartbeat_.beats(), 1);
}

TEST(DefaultActivity, IsNeverCancelled) {
  const Activity activity;
  EXPECT_TRUE(activity.ReportBytes(1).ok());
  EXPECT_FALSE(activity.cancel().cancelled());
}

}  // namespace
}  // namespace sparkles
