#include "queue/metered_queue.h"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"
#include "tests/support/mem_queue.h"

namespace sparkles {
namespace {

Task TaskNamed(const std::string& id) {
  Task task;
  task.id = id;
  return task;
}

Outcome Ended(Outcome::Kind kind) {
  Outcome outcome;
  outcome.kind = kind;
  outcome.exit_code = "0";
  return outcome;
}

class MeteredQueueTest : public testing::Test {
 protected:
  Claim ClaimNext() { return *queue_.ClaimOne(never_).value(); }

  FakeClock clock_;
  MemTasks tasks_{{TaskNamed("a.1"), TaskNamed("a.2"), TaskNamed("a.3")}, clock_};
  MemQueue memory_{tasks_, "us"};
  WorkerMetrics metrics_;
  MeteredQueue queue_{memory_, clock_, metrics_};
  const CancelToken never_;
};

TEST_F(MeteredQueueTest, ClaimIsHeldUntilRecorded) {
  EXPECT_FALSE(queue_.held().has_value());
  const Claim claim = ClaimNext();
  ASSERT_TRUE(queue_.held().has_value());
  EXPECT_EQ(queue_.held()->task.id, "a.1");
  memory_.finish_errors = {absl::UnavailableError("away")};
  EXPECT_FALSE(queue_.Finish(claim, Ended(Outcome::Kind::kComplete)).ok());
  EXPECT_TRUE(queue_.held().has_value()) << "the end is not recorded yet";
  EXPECT_TRUE(queue_.Finish(claim, Ended(Outcome::Kind::kComplete)).ok());
  EXPECT_FALSE(queue_.held().has_value());
}

TEST_F(MeteredQueueTest, EndingClaimIsHeldButEnding) {
  EXPECT_FALSE(queue_.held_not_ending().has_value());
  const Claim first = ClaimNext();
  EXPECT_EQ(queue_.held_not_ending()->task.id, "a.1");
  memory_.hand_back_errors = {absl::UnavailableError("away")};
  EXPECT_FALSE(queue_.HandBack(first, "SIGTERM").ok());
  EXPECT_FALSE(queue_.held_not_ending().has_value());
  EXPECT_TRUE(queue_.held().has_value());
  EXPECT_TRUE(queue_.HandBack(first, "SIGTERM").ok());
  ClaimNext();
  EXPECT_TRUE(queue_.held_not_ending().has_value());
}

TEST_F(MeteredQueueTest, OnlyRecordedEndsAreCounted) {
  ASSERT_TRUE(queue_.Finish(ClaimNext(), Ended(Outcome::Kind::kFailed)).ok());
  ASSERT_TRUE(queue_.HandBack(ClaimNext(), "going").ok());
  const Claim lost = ClaimNext();
  tasks_.Reset(lost.task.id);
  EXPECT_TRUE(absl::IsAborted(queue_.Finish(lost, Ended(Outcome::Kind::kComplete))));
  EXPECT_EQ(metrics_.claimed.value(), 3);
  EXPECT_EQ(metrics_.complete.value(), 0);
  EXPECT_EQ(metrics_.failed.value(), 1);
  EXPECT_EQ(metrics_.handed_back.value(), 1);
  EXPECT_EQ(metrics_.claim_lost.value(), 1);
  EXPECT_EQ(metrics_.claim_time.count(), 3);
  EXPECT_EQ(metrics_.end_time.count(), 3);
}

TEST_F(MeteredQueueTest, ErrorIsNotCountedAsAnswer) {
  memory_.claim_errors = {absl::UnavailableError("away")};
  EXPECT_FALSE(queue_.ClaimOne(never_).ok());
  EXPECT_EQ(metrics_.queue_errors.value(), 1);
  EXPECT_EQ(metrics_.queue_answered_ms, 0);
  (void)ClaimNext();
  EXPECT_EQ(metrics_.queue_answered_ms, absl::ToUnixMillis(clock_.Now()));
}

TEST_F(MeteredQueueTest, EndsRecordedByQueueAreCounted) {
  memory_.ends = {{"x.1", Outcome::Kind::kFailed, "why"}, {"x.2", Outcome::Kind::kHandBack, "why"}};
  EXPECT_EQ(queue_.TakeRecordedEnds().size(), 2U);
  EXPECT_TRUE(queue_.TakeRecordedEnds().empty());
  EXPECT_EQ(metrics_.failed.value(), 1);
  EXPECT_EQ(metrics_.handed_back.value(), 1);
}

}  // namespace
}  // namespace sparkles
