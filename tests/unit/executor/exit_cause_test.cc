#include "executor/exit_cause.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/support/fake_process_runner.h"

namespace sparkles {
namespace {

using ::testing::HasSubstr;

std::string KindOf(const CommandExit& exit, const ExitContext& known) {
  const auto cause = FindExitCause(exit, known);
  return cause ? cause->kind : "none";
}

constexpr DiskSpace kFull = {.known = true, .bytes = 4096, .no_inodes = false};
constexpr DiskSpace kRoomy = {.known = true, .bytes = 1 << 30, .no_inodes = false};
constexpr DiskSpace kNoInodes = {.known = true, .bytes = 1 << 30, .no_inodes = true};
const OomKills kNone = {.in_group = 0, .on_machine = 0, .known = true, .victim = ""};
const OomKills kInGroup = {
    .in_group = 1, .on_machine = 1, .known = true, .victim = "Killed process 5 (r)"};
const OomKills kElsewhere = {.in_group = 0, .on_machine = 1, .known = true, .victim = ""};

TEST(ExitCauseTest, SuccessHasNoCause) {
  EXPECT_EQ(KindOf(ExitedWith(0), {.oom = kInGroup, .least_free = kFull, .cancelled = true}),
            "none");
}

TEST(ExitCauseTest, NonzeroExitGivesCauseExitCode) {
  EXPECT_EQ(KindOf(ExitedWith(3), {.oom = {}, .least_free = kRoomy}), "exit_code");
  EXPECT_EQ(KindOf(ExitedWith(3), {}), "exit_code");
}

TEST(ExitCauseTest, OomKillDiffersFromOtherKills) {  // D47
  const auto ours = FindExitCause(DiedOf(SIGKILL), {.oom = kInGroup, .least_free = {}});
  ASSERT_TRUE(ours.has_value());
  EXPECT_EQ(ours->kind, "out_of_memory");
  EXPECT_THAT(ours->detail, HasSubstr("Killed process 5 (r)"));
  EXPECT_EQ(KindOf(DiedOf(SIGKILL), {.oom = kElsewhere, .least_free = {}}), "out_of_memory");
  EXPECT_EQ(KindOf(ExitedWith(137), {.oom = kElsewhere, .least_free = {}}), "out_of_memory")
      << "the exit code of a shell whose child was killed";
  EXPECT_EQ(KindOf(ExitedWith(1), {.oom = kInGroup, .least_free = {}}), "out_of_memory")
      << "the exit code of a make whose compiler was killed";
  EXPECT_EQ(KindOf(DiedOf(SIGKILL), {}), "signal");
}

TEST(ExitCauseTest, OomIsExcludedOnlyWhenCounted) {
  const auto unknown = FindExitCause(DiedOf(SIGKILL), {});
  EXPECT_THAT(unknown->detail, HasSubstr("does not report such kills"));
  const auto counted = FindExitCause(DiedOf(SIGKILL), {.oom = kNone, .least_free = {}});
  EXPECT_THAT(counted->detail, HasSubstr("has counted no kill"));
}

TEST(ExitCauseTest, OomKillElsewhereExplainsOnlySigkill) {
  EXPECT_EQ(KindOf(ExitedWith(1), {.oom = kElsewhere, .least_free = {}}), "exit_code");
  EXPECT_EQ(KindOf(DiedOf(SIGSEGV), {.oom = kElsewhere, .least_free = {}}), "signal");
}

TEST(ExitCauseTest, FullDiskExplainsExitCode) {
  EXPECT_EQ(KindOf(ExitedWith(1), {.oom = {}, .least_free = kFull}), "disk_full");
  EXPECT_EQ(KindOf(ExitedWith(1), {.oom = {}, .least_free = kNoInodes}), "disk_full");
  EXPECT_EQ(KindOf(DiedOf(SIGSEGV), {.oom = {}, .least_free = kFull}), "signal");
}

TEST(ExitCauseTest, TimeLimitExplainsAnyExit) {
  for (CommandExit exit : {ExitedWith(0), ExitedWith(3), DiedOf(SIGTERM), DiedOf(SIGKILL)}) {
    exit.timed_out = true;
    EXPECT_EQ(KindOf(exit, {}), "time_limit");
  }
}

TEST(ExitCauseTest, MissingProgressExplainsAnyExit) {
  for (CommandExit exit : {ExitedWith(0), ExitedWith(3), DiedOf(SIGTERM), DiedOf(SIGKILL)}) {
    exit.no_progress = true;
    const auto cause = FindExitCause(exit, {.no_progress_timeout = absl::Seconds(90)});
    ASSERT_TRUE(cause.has_value());
    EXPECT_EQ(cause->kind, "no_progress");
    EXPECT_THAT(cause->detail, HasSubstr("no progress for 1m30s (--noProgressTimeout)"));
    EXPECT_THAT(cause->detail, HasSubstr("must print a line"));
  }
}

TEST(ExitCauseTest, CancelledCommandHasCauseStopped) {
  EXPECT_EQ(KindOf(DiedOf(SIGTERM), {.oom = {}, .least_free = kFull, .cancelled = true}),
            "stopped");
  EXPECT_EQ(KindOf(DiedOf(SIGTERM), {}), "signal");
}

}  // namespace
}  // namespace sparkles
