#include "monitor/reply_budget.h"

#include <gtest/gtest.h>

#include <vector>

namespace sparkles {
namespace {

class ReplyBudgetTest : public testing::Test {
 protected:
  ReplyBudget::Handle Take(size_t wanted) {
    return budget_.Take(wanted, now_, [this] { ++given_up_; });
  }
  size_t Given(size_t wanted) { return ReplyBudget::Bytes(Take(wanted)); }

  void FillUp() {
    for (size_t i = 0; i < ReplyBudget::kTotal / ReplyBudget::kMaxReply; ++i) {
      taken_.push_back(Take(ReplyBudget::kMaxReply));
    }
  }

  ReplyBudget budget_;
  absl::Time now_ = absl::FromUnixSeconds(1'769'860'800);
  std::vector<ReplyBudget::Handle> taken_;
  int given_up_ = 0;
};

TEST_F(ReplyBudgetTest, ReplyIsLimitedToOneMebibyte) {
  EXPECT_EQ(Given(100'000), 100'000U);
  EXPECT_EQ(Given(size_t{1} << 31), ReplyBudget::kMaxReply);
}

TEST_F(ReplyBudgetTest, ExhaustedBudgetGivesSmallReplies) {
  FillUp();
  EXPECT_EQ(Given(100'000), ReplyBudget::kLeast);
  EXPECT_EQ(Given(10), 10U);
  EXPECT_EQ(given_up_, 0);
}

TEST_F(ReplyBudgetTest, ReturnedBytesAreReusable) {
  FillUp();
  budget_.Return(taken_[5]);
  EXPECT_EQ(Given(ReplyBudget::kMaxReply), ReplyBudget::kMaxReply);
  EXPECT_EQ(Given(100'000), ReplyBudget::kLeast);
}

TEST_F(ReplyBudgetTest, UnusedBytesAreReusable) {
  FillUp();
  budget_.Shrink(taken_[0], 1);
  EXPECT_EQ(Given(100'000), 100'000U);
}

TEST_F(ReplyBudgetTest, FullBudgetDropsSlowReaders) {
  FillUp();
  now_ += ReplyBudget::kPatience - absl::Seconds(1);
  (void)Take(100'000);
  EXPECT_EQ(given_up_, 0);
  now_ += absl::Seconds(1);
  (void)Take(100'000);
  EXPECT_EQ(given_up_, 16);  // all but the newest reply
}

TEST_F(ReplyBudgetTest, SlowReadersStayWhileBudgetLasts) {
  taken_.push_back(Take(ReplyBudget::kMaxReply));
  now_ += absl::Hours(1);
  (void)Take(100'000);
  EXPECT_EQ(given_up_, 0);
}

}  // namespace
}  // namespace sparkles
