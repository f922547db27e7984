#include "doctor/check_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "process/monotonic.h"

namespace sparkles {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Check MakeCheck(const std::string& name, std::function<void(const CancelToken&, Findings&)> run) {
  return {.name = name, .thing = name, .run = std::move(run)};
}

std::vector<std::string> Texts(const CheckResults& results) {
  std::vector<std::string> texts;
  for (const Finding& finding : results.findings) {
    texts.push_back(finding.check + " " + finding.text);
  }
  return texts;
}

TEST(CheckRunner, FindingsHaveOrderOfChecks) {
  const CancelToken stop;
  SystemClock clock;
  const CheckResults results = RunChecks(
      {MakeCheck("slow",
                 [&](const CancelToken& cancel, Findings& findings) {
                   clock.Sleep(absl::Milliseconds(50), cancel);
                   findings.Ok("x", "one");
                   findings.Ok("x", "two");
                 }),
       MakeCheck("fast",
                 [](const CancelToken&, Findings& findings) { findings.Ok("x", "three"); })},
      stop);
  EXPECT_THAT(Texts(results), ElementsAre("slow one", "slow two", "fast three"));
  EXPECT_FALSE(results.abandoned);
}

TEST(CheckRunner, ChecksRunAtTheSameTime) {
  const CancelToken stop;
  CancelToken second_runs;
  const CheckResults results = RunChecks(
      {MakeCheck("first",
                 [&](const CancelToken& cancel, Findings& findings) {
                   if (AwaitCancel(second_runs, cancel)) findings.Ok("x", "saw the second");
                 }),
       MakeCheck("second", [&](const CancelToken&,
                               Findings&) { second_runs.Cancel(CancelKind::kAbort, ""); })},
      stop);
  EXPECT_THAT(Texts(results), ElementsAre("first saw the second"));
}

TEST(CheckRunner, TokenIsCancelledAtTimeLimit) {
  const CancelToken stop;
  const CancelToken never;
  Check check = MakeCheck("limited", [&](const CancelToken& cancel, Findings& findings) {
    (void)AwaitCancel(cancel, never);
    findings.Fail("x", cancel.reason(), "");
  });
  check.limit = absl::Milliseconds(30);
  EXPECT_THAT(Texts(RunChecks({check}, stop)), ElementsAre("limited no answer within 30ms"));
}

TEST(CheckRunner, StopCancelsAllChecks) {
  CancelToken stop;
  const CancelToken never;
  stop.Cancel(CancelKind::kHandBack, "stopped");
  const CheckResults results =
      RunChecks({MakeCheck("any",
                           [&](const CancelToken& cancel, Findings& findings) {
                             (void)AwaitCancel(cancel, never);
                             findings.Skip("x", cancel.reason());
                           })},
                stop);
  EXPECT_THAT(Texts(results), ElementsAre("any stopped"));
}

TEST(CheckRunner, HangingCheckIsAbandoned) {
  const CancelToken stop;
  static CancelToken release;  // outlives the thread
  static CancelToken released;
  static const CancelToken never;
  Check hangs = MakeCheck("hangs", [](const CancelToken&, Findings& findings) {
    findings.Ok("x", "before");
    (void)AwaitCancel(release, never);
    released.Cancel(CancelKind::kAbort, "");
  });
  hangs.limit = absl::Milliseconds(30);
  hangs.stuck_remedy = "check the mount";
  const absl::Duration start = MonotonicNow();
  const CheckResults results = RunChecks({hangs}, stop);
  EXPECT_LT(MonotonicNow() - start, absl::Seconds(10));
  EXPECT_TRUE(results.abandoned);
  EXPECT_THAT(Texts(results), ElementsAre("hangs before", "hangs no answer within 30ms"));
  EXPECT_EQ(results.findings.back().level, Level::kFail);
  EXPECT_EQ(results.findings.back().remedy, "check the mount");
  release.Cancel(CancelKind::kAbort, "");
  (void)AwaitCancel(released, never);
}

TEST(CheckRunner, NoCheckGivesNoFinding) {
  const CancelToken stop;
  EXPECT_THAT(RunChecks({}, stop).findings, IsEmpty());
}

}  // namespace
}  // namespace sparkles
