// Tests of ends that Datastore did not record at first.
#include "queue/unrecorded_ends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/queue/datastore_claim_fixture.h"

namespace sparkles {
namespace {

using testing::ElementsAre;

using UnrecordedEndsTest = DatastoreClaimFixture;

TEST_F(UnrecordedEndsTest, IdleWorkerRecordsUnrecordedEnd) {
  PutTask("job.1");
  const auto journal = OpenJournal();
  const auto queue = MakeQueue("vm", journal.get());
  const auto claim = queue->ClaimOne(never_).value();
  ASSERT_TRUE(claim);
  Outcome outcome;
  outcome.kind = Outcome::Kind::kComplete;
  outcome.exit_code = "0";
  transport_.interceptor = [this](const std::string& method,
                                  const HttpRequest& request) -> absl::StatusOr<HttpResponse> {
    if (method == "commit") return absl::PermissionDeniedError("cut off");
    return datastore_.Send(request);
  };
  EXPECT_FALSE(queue->Finish(*claim, outcome).ok());
  queue->LeaveUnrecorded(*claim, outcome);
  EXPECT_FALSE(queue->ClaimOne(never_).ok()) << "the worker still has a claim";
  Reconnect();
  EXPECT_FALSE(queue->ClaimOne(never_).value().has_value());
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed", "complete"));
  EXPECT_EQ(Journal(), "");
}

TEST_F(UnrecordedEndsTest, RevokeRecordsUnrecordedEnds) {
  PutTask("job.1");
  PutTask("job.2");
  const auto queue = MakeQueue("vm", nullptr);
  const auto claim = queue->ClaimOne(never_).value();
  ASSERT_TRUE(claim);
  Outcome outcome;
  outcome.kind = Outcome::Kind::kHandBack;
  outcome.failure_reason = "no space";
  queue->LeaveUnrecorded(*claim, outcome);
  EXPECT_TRUE(queue->RevokeUnknownClaim("SIGTERM").ok());
  EXPECT_THAT(Story(claim->task.id), ElementsAre("pending", "claimed", "reset"));
}

TEST_F(UnrecordedEndsTest, LastingRefusalTurnsEndIntoHandBack) {
  PutTask("job.1");
  const auto queue = MakeQueue("vm", nullptr);
  const auto claim = queue->ClaimOne(never_).value();
  ASSERT_TRUE(claim);
  Outcome outcome;
  outcome.failure_reason = "a reason that no server takes";
  RefuseCommits("that no server takes");
  EXPECT_TRUE(absl::IsInvalidArgument(queue->Finish(*claim, outcome)));
  queue->LeaveUnrecorded(*claim, outcome);
  for (int minute = 0; minute < 5; ++minute) {
    EXPECT_FALSE(queue->ClaimOne(never_).ok()) << minute;
    EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed"));
    clock_.Advance(absl::Minutes(1));
  }
  EXPECT_FALSE(queue->ClaimOne(never_).value().has_value());
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed", "reset"));
}

TEST_F(UnrecordedEndsTest, TemporaryRefusalKeepsEnd) {
  PutTask("job.1");
  const auto queue = MakeQueue("vm", nullptr);
  const auto claim = queue->ClaimOne(never_).value();
  ASSERT_TRUE(claim);
  Outcome outcome;
  outcome.kind = Outcome::Kind::kComplete;
  outcome.exit_code = "0";
  queue->LeaveUnrecorded(*claim, outcome);
  RefuseCommits("");
  EXPECT_FALSE(queue->ClaimOne(never_).ok());
  clock_.Advance(absl::Hours(6));
  EXPECT_FALSE(queue->ClaimOne(never_).ok());
  Reconnect();
  EXPECT_FALSE(queue->ClaimOne(never_).value().has_value());
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed", "complete"));
}

// The worker must end although its end of the task and its hand-back are refused.
TEST_F(UnrecordedEndsTest, RefusedHandBackLetsWorkerEnd) {
  PutTask("job.1");
  const auto queue = MakeQueue("vm", nullptr);
  const auto claim = queue->ClaimOne(never_).value();
  ASSERT_TRUE(claim);
  RefuseCommits("");
  queue->LeaveUnrecorded(*claim, Outcome());
  for (int minute = 0; minute < 5; ++minute) {
    EXPECT_FALSE(queue->ClaimOne(never_).ok());
    clock_.Advance(absl::Minutes(1));
  }
  EXPECT_FALSE(queue->ClaimOne(never_).value().has_value());
}

TEST_F(UnrecordedEndsTest, RevokeHandsBackRefusedEnd) {
  PutTask("job.1");
  const auto queue = MakeQueue("vm", nullptr);
  const auto claim = queue->ClaimOne(never_).value();
  ASSERT_TRUE(claim);
  Outcome outcome;
  outcome.failure_reason = "a reason that no server takes";
  RefuseCommits("that no server takes");
  queue->LeaveUnrecorded(*claim, outcome);
  EXPECT_TRUE(queue->RevokeUnknownClaim("SIGTERM").ok());
  EXPECT_THAT(Story("job.1"), ElementsAre("pending", "claimed", "reset"));
}

}  // namespace
}  // namespace sparkles
