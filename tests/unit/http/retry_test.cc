#include "http/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "http/transient.h"
#include "tests/support/fake_clock.h"

namespace sparkles {
namespace {

using ::testing::SizeIs;

absl::Status TransientError(bool maybe_applied = true,
                            std::optional<absl::Duration> retry_after = std::nullopt) {
  return Transient(absl::UnavailableError("host: trouble"), maybe_applied, retry_after);
}

TEST(Transient, MarksSurviveAnnotation) {
  const absl::Status status = Annotate(TransientError(true, absl::Milliseconds(1500)), "gs://b/o");
  EXPECT_TRUE(IsTransient(status));
  EXPECT_TRUE(MaybeApplied(status));
  EXPECT_EQ(RetryAfter(status), absl::Milliseconds(1500));
  EXPECT_FALSE(MaybeApplied(TransientError(false)));
  EXPECT_EQ(RetryAfter(TransientError()), std::nullopt);
}

TEST(Transient, OnlyTransientErrorsAreMarked) {
  EXPECT_FALSE(IsTransient(absl::UnavailableError("")));
  EXPECT_FALSE(MaybeApplied(absl::UnavailableError("")));
  EXPECT_TRUE(Transient(absl::OkStatus(), true).ok());
}

class RetryLoopTest : public testing::Test {
 protected:
  // Runs a retry loop whose attempts end with `outcomes` in order. The last outcome repeats.
  absl::Status Run(std::vector<Attempt> outcomes, const RetryPolicy& policy = {},
                   Idempotency idempotency = Idempotency::kIdempotent) {
    attempts_ = 0;
    return RetryLoop(policy, idempotency, clock_, cancel_,
                     [&] { return outcomes[std::min(attempts_++, outcomes.size() - 1)]; });
  }

  FakeClock clock_;
  CancelToken cancel_;
  size_t attempts_ = 0;
};

TEST_F(RetryLoopTest, SuccessNeedsNoWait) {
  EXPECT_TRUE(Run({{absl::OkStatus()}}).ok());
  EXPECT_EQ(attempts_, 1);
  EXPECT_THAT(clock_.sleeps(), SizeIs(0));
}

TEST_F(RetryLoopTest, TransientErrorsAreRetried) {
  EXPECT_TRUE(Run({{TransientError()}, {TransientError()}, {absl::OkStatus()}}).ok());
  EXPECT_EQ(attempts_, 3);
  EXPECT_THAT(clock_.sleeps(), SizeIs(2));
}

TEST_F(RetryLoopTest, PermanentErrorEndsRetries) {
  EXPECT_EQ(Run({{absl::NotFoundError("x: no")}}), absl::NotFoundError("x: no"));
  EXPECT_EQ(attempts_, 1);
  const absl::Status later = Run({{TransientError()}, {absl::NotFoundError("x: no")}});
  EXPECT_EQ(later, absl::NotFoundError("x: no (2 attempts)"));
}

TEST_F(RetryLoopTest, MaybeAppliedRetryNeedsIdempotency) {
  const std::vector<Attempt> maybe = {{TransientError(true)}, {absl::OkStatus()}};
  EXPECT_TRUE(Run(maybe, {}, Idempotency::kIdempotent).ok());
  EXPECT_EQ(Run(maybe, {}, Idempotency::kNotIdempotent), TransientError(true));
  const std::vector<Attempt> certainly_not = {{TransientError(false)}, {absl::OkStatus()}};
  EXPECT_TRUE(Run(certainly_not, {}, Idempotency::kNotIdempotent).ok());
}

TEST_F(RetryLoopTest, BackoffIsExponentialWithJitter) {
  constexpr int kRounds = 200;
  const std::vector<double> bounds = {1, 2, 4, 5, 5};  // seconds
  const RetryPolicy policy{absl::Seconds(1), absl::Seconds(5), absl::Hours(1)};
  std::vector<double> shares;
  for (int round = 0; round < kRounds; ++round) {
    const size_t before = clock_.sleeps().size();
    std::vector<Attempt> outcomes(bounds.size(), {TransientError()});
    outcomes.push_back({absl::OkStatus()});
    ASSERT_TRUE(Run(outcomes, policy).ok());
    const std::vector<absl::Duration> sleeps = clock_.sleeps();
    ASSERT_EQ(sleeps.size() - before, bounds.size());
    for (size_t i = 0; i < bounds.size(); ++i) {
      shares.push_back(absl::ToDoubleSeconds(sleeps[before + i]) / bounds[i]);
    }
  }
  std::sort(shares.begin(), shares.end());
  EXPECT_GE(shares.front(), 0);
  EXPECT_LT(shares.front(), 0.1);
  EXPECT_NEAR(shares[shares.size() / 2], 0.5, 0.1);
  EXPECT_GT(shares.back(), 0.9);
  EXPECT_LE(shares.back(), 1);
}

TEST_F(RetryLoopTest, RetryAfterIsMinimumWait) {
  ASSERT_TRUE(Run({{TransientError(false, absl::Seconds(17))}, {absl::OkStatus()}}).ok());
  EXPECT_EQ(clock_.sleeps().at(0), absl::Seconds(17));
  ASSERT_TRUE(Run({{TransientError(false, absl::Hours(3))}, {absl::OkStatus()}}).ok());
  EXPECT_EQ(clock_.sleeps().at(1), absl::Minutes(2));
}

TEST_F(RetryLoopTest, NoAttemptStartsAfterDeadline) {
  const RetryPolicy policy{absl::Seconds(1), absl::Seconds(30), absl::Minutes(5)};
  const absl::Time start = clock_.Now();
  absl::Time last;
  const absl::Status status =
      RetryLoop(policy, Idempotency::kIdempotent, clock_, cancel_, [&]() -> Attempt {
        last = clock_.Now();
        ++attempts_;
        return {TransientError()};
      });
  EXPECT_TRUE(IsTransient(status));
  EXPECT_EQ(status.message(), absl::StrCat("host: trouble (", attempts_, " attempts)"));
  EXPECT_GT(attempts_, 5);
  EXPECT_LE(last - start, policy.max_elapsed);
  EXPECT_LE(clock_.Now() - start, policy.max_elapsed);
}

TEST_F(RetryLoopTest, ClockJumpsDoNotEndRetries) {
  const RetryPolicy policy{absl::Seconds(1), absl::Seconds(30), absl::Minutes(30)};
  for (const absl::Duration step : {absl::Hours(10), absl::Hours(-10)}) {
    int left = 4;
    EXPECT_TRUE(RetryLoop(policy, Idempotency::kIdempotent, clock_, cancel_, [&]() -> Attempt {
                  clock_.Advance(step);
                  return {left-- > 0 ? TransientError() : absl::OkStatus()};
                }).ok());
  }
  EXPECT_FALSE(RetryLoop(policy, Idempotency::kIdempotent, clock_, cancel_, [&]() -> Attempt {
                 clock_.Advance(absl::Hours(1));
                 ++attempts_;
                 return {TransientError()};
               }).ok());
  EXPECT_GT(attempts_, 4);
  EXPECT_LT(attempts_, 7);
}

TEST_F(RetryLoopTest, NoWaitBeyondDeadline) {
  const RetryPolicy policy{absl::Seconds(1), absl::Seconds(30), absl::Seconds(60)};
  EXPECT_FALSE(Run({{TransientError(false, absl::Seconds(61))}}, policy).ok());
  EXPECT_EQ(attempts_, 1);
  EXPECT_THAT(clock_.sleeps(), SizeIs(0));
}

TEST_F(RetryLoopTest, ProgressResetsDeadlineAndBackoff) {
  const RetryPolicy policy{absl::Seconds(1), absl::Seconds(8), absl::Seconds(20)};
  std::vector<Attempt> outcomes(100, {TransientError(), /*progress=*/true});
  outcomes.push_back({absl::OkStatus()});
  EXPECT_TRUE(Run(outcomes, policy).ok());
  const std::vector<absl::Duration> sleeps = clock_.sleeps();
  EXPECT_LE(*std::max_element(sleeps.begin(), sleeps.end()), absl::Seconds(1));
}

TEST_F(RetryLoopTest, CancelEndsWait) {
  clock_.OnSleep([&](size_t) { cancel_.Cancel(CancelKind::kHandBack, "SIGTERM"); });
  EXPECT_EQ(Run({{TransientError()}}), absl::CancelledError("SIGTERM"));
  EXPECT_EQ(attempts_, 1);
}

TEST_F(RetryLoopTest, NoAttemptAfterCancel) {
  cancel_.Cancel(CancelKind::kKilled, "job was killed");
  EXPECT_EQ(Run({{absl::OkStatus()}}), absl::CancelledError("job was killed"));
  EXPECT_EQ(attempts_, 0);
}

}  // namespace
}  // namespace sparkles
