#include "task/task.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sparkles {
namespace {

HistoryEntry Entry(const std::string& status, const std::string& reason = "") {
  return {absl::UnixEpoch(), status, "", reason};
}

TEST(TaskStatusTest, WireNamesMatchClient) {
  EXPECT_EQ(WireName(TaskStatus::kPending), "pending");
  EXPECT_EQ(WireName(TaskStatus::kClaimed), "claimed");
  EXPECT_EQ(WireName(TaskStatus::kComplete), "complete");
  EXPECT_EQ(WireName(TaskStatus::kFailed), "failed");
  EXPECT_EQ(WireName(TaskStatus::kKilled), "killed");
}

TEST(TaskStatusTest, EveryWireNameIsParsedBack) {
  for (const auto status : {TaskStatus::kPending, TaskStatus::kClaimed, TaskStatus::kComplete,
                            TaskStatus::kFailed, TaskStatus::kKilled}) {
    EXPECT_EQ(ParseTaskStatus(WireName(status)), status);
  }
  for (const absl::string_view name : {"", "reset", "Pending", "pending ", "done"}) {
    EXPECT_FALSE(ParseTaskStatus(name)) << name;
  }
}

TEST(TaskStatusTest, OnlyThreeStatusesAreFinal) {
  EXPECT_FALSE(IsFinal(TaskStatus::kPending));
  EXPECT_FALSE(IsFinal(TaskStatus::kClaimed));
  EXPECT_TRUE(IsFinal(TaskStatus::kComplete));
  EXPECT_TRUE(IsFinal(TaskStatus::kFailed));
  EXPECT_TRUE(IsFinal(TaskStatus::kKilled));
}

TEST(ClaimsTest, EveryClaimIsCounted) {
  EXPECT_EQ(CountClaims({}), 0);
  EXPECT_EQ(CountClaims({Entry("pending"), Entry("claimed"), Entry("reset", "preempted"),
                         Entry("claimed"), Entry("complete")}),
            2);
}

TEST(ClaimsTest, FirstClaimFollowsTheLastEnd) {
  EXPECT_EQ(FirstClaimSinceEnd({}), 1);
  EXPECT_EQ(FirstClaimSinceEnd({Entry("pending"), Entry("claimed"), Entry("reset")}), 1);
  EXPECT_EQ(FirstClaimSinceEnd({Entry("claimed"), Entry("reset"), Entry("claimed"), Entry("failed"),
                                Entry("reset"), Entry("claimed")}),
            3);
}

TEST(ClaimsTest, EndOfClaimIsTheNextEntry) {
  const auto at = [](int seconds, const std::string& status) {
    return HistoryEntry{absl::FromUnixSeconds(seconds), status, "", ""};
  };
  const std::vector<HistoryEntry> history = {at(1, "pending"), at(2, "claimed"), at(3, "reset"),
                                             at(4, "claimed")};
  EXPECT_EQ(EndOfClaim(history, 1), absl::FromUnixSeconds(3));
  EXPECT_EQ(EndOfClaim(history, 2), std::nullopt);
}

TEST(AbandonedClaimsTest, HistoryWithoutClaimsCountsZero) {
  EXPECT_EQ(CountAbandonedClaims({}), 0);
  EXPECT_EQ(CountAbandonedClaims({Entry("pending"), Entry("reset")}), 0);
}

TEST(AbandonedClaimsTest, ClaimWithFinalStatusIsIgnored) {
  for (const auto* status : {"complete", "failed", "killed"}) {
    EXPECT_EQ(CountAbandonedClaims({Entry("pending"), Entry("claimed"), Entry(status)}), 0);
  }
}

TEST(AbandonedClaimsTest, ReasonedHandBackIsNotCounted) {
  EXPECT_EQ(CountAbandonedClaims({Entry("claimed"), Entry("reset", "preempted")}), 0);
}

TEST(AbandonedClaimsTest, ResetOfAbandonedClaimIsCounted) {
  EXPECT_EQ(CountAbandonedClaims({Entry("claimed"), Entry("reset")}), 1);
  EXPECT_EQ(CountAbandonedClaims({Entry("claimed"), Entry("reset", "abandoned: it died")}), 1);
}

TEST(AbandonedClaimsTest, ClaimWithoutEndIsCounted) {
  EXPECT_EQ(CountAbandonedClaims({Entry("claimed")}), 1);
  EXPECT_EQ(CountAbandonedClaims({Entry("claimed"), Entry("claimed"), Entry("reset", "why")}), 1);
  EXPECT_EQ(CountAbandonedClaims({Entry("claimed"), Entry("pending"), Entry("claimed")}), 2);
}

TEST(AbandonedClaimsTest, UserResetAfterEndIsIgnored) {
  EXPECT_EQ(CountAbandonedClaims({Entry("claimed"), Entry("complete"), Entry("reset"),
                                  Entry("claimed"), Entry("failed")}),
            0);
}

TEST(AbandonedClaimsTest, ResetOfFailedTaskRestoresTries) {
  std::vector<HistoryEntry> history(kMaxAbandonedClaims, Entry("claimed"));
  EXPECT_NE(ReasonNotToClaim(history), "");
  history.push_back(Entry("failed", "given up"));
  history.push_back(Entry("reset"));  // after a correction of the task
  for (int i = 0; i < kMaxAbandonedClaims; ++i) {
    EXPECT_EQ(ReasonNotToClaim(history), "") << i;
    history.push_back(Entry("claimed"));
  }
  EXPECT_NE(ReasonNotToClaim(history), "");
}

TEST(MachineFaultsTest, OnlyMachineFaultHandBacksCount) {
  std::vector<HistoryEntry> history;
  for (int i = 0; i < 100; ++i) {
    history.push_back(Entry("claimed"));
    history.push_back(Entry("reset", "the VM is being preempted"));
  }
  for (int i = 0; i < kMaxMachineFaultsOfTask; ++i) {
    EXPECT_EQ(ReasonNotToClaim(history), "");
    history.push_back(Entry("claimed"));
    history.push_back(Entry("reset", absl::StrCat("machine fault: no space for ", i)));
  }
  EXPECT_EQ(ReasonNotToClaim(history),
            "failed after 20 machine faults; the last machine fault: no space for 19");
  history.push_back(Entry("failed", "given up"));
  history.push_back(Entry("reset"));  // to try larger machines
  EXPECT_EQ(ReasonNotToClaim(history), "");
}

}  // namespace
}  // namespace sparkles
