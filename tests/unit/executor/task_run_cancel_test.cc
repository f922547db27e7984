// Tests of runs that are cancelled after each of their steps.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/directory.h"
#include "base/file.h"
#include "tests/support/executor_fixture.h"

namespace sparkles {
namespace {

using testing::EndsWith;
using testing::IsEmpty;

// The steps after which a run can still be cancelled.
constexpr const char* kSteps[] = {
    "read gs://in/spec.json", "run pre-download", "download gs://in/input.txt",
    "run post-download",      "run pre-exec",     "run command",
    "run post-exec"};

class TaskRunCancelTest : public ExecutorFixture, public testing::WithParamInterface<const char*> {
 protected:
  TaskRunCancelTest() {
    memory_.Put("gs://in/spec.json", DumpJson(spec_));
    task_.args = "gs://in/spec.json";
    task_.log_url = kStdout;
  }

  Outcome RunCancelledAfter(const std::string& step, CancelKind kind) {
    after_step_ = [=, this](const std::string& taken) {
      if (taken == step) cancel_.Cancel(kind, "stopped for a test");
    };
    return Run();
  }

  // The last script or command that was run.
  std::string LastRun() const {
    return runner_.commands().empty() ? "" : "run " + runner_.commands().back().argv.back();
  }
};

using TaskRunLostClaimTest = ExecutorFixture;

// A run that reads the kernel's count of OOM kills from files of the test.
class TaskRunMemoryTest : public TaskRunCancelTest {
 protected:
  TaskRunMemoryTest() {
    options_.proc_root = directory_ / "proc";
    EXPECT_TRUE(MakeDirectories(options_.proc_root + "/self").ok());
    Write("proc/self/cgroup", "0::/\n");
    Write("proc/self/mountinfo",
          absl::StrCat("31 24 0:27 / ", directory_.path(), " rw - cgroup2 cgroup2 rw\n"));
    CountKills(7);
  }
  void CountKills(int kills) { Write("memory.events", absl::StrCat("oom_kill ", kills, "\n")); }
  void Write(const std::string& name, absl::string_view text) {
    ASSERT_TRUE(WriteFileAtomically(directory_ / name, text, false).ok());
  }
  void Stop() { cancel_.Cancel(CancelKind::kHandBack, "SIGTERM"); }
};

constexpr char kOutOfMemory[] =
    "out of memory: the kernel killed 1 of the processes in the worker's control group for lack "
    "of memory; then SIGTERM";

TEST_F(TaskRunMemoryTest, StopAfterOomKillIsAbandoned) {
  scripts_["command"] = [this](const Command&, const Activity&) {
    CountKills(8);
    Stop();
    return DiedOf(SIGKILL);
  };
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kHandBack);
  EXPECT_TRUE(outcome.abandoned);
  EXPECT_EQ(outcome.failure_reason, kOutOfMemory);
  EXPECT_THAT(Stdout(), EndsWith(absl::StrCat("sparkles: ", kOutOfMemory, "\n")));
}

TEST_F(TaskRunMemoryTest, SurvivedOomKillCountsAgainstTask) {
  scripts_["command"] = [this](const Command&, const Activity& activity) {
    CountKills(8);
    (void)activity.ReportWork();
    Stop();
    (void)activity.ReportWork();
    return DiedOf(SIGTERM);
  };
  EXPECT_EQ(Run().failure_reason, kOutOfMemory);
}

TEST_F(TaskRunMemoryTest, ScriptStopAfterOomKillCounts) {
  scripts_["command"] = [this](const Command&, const Activity&) {
    CountKills(8);
    return DiedOf(SIGKILL);
  };
  scripts_["post-exec"] = [this](const Command&, const Activity&) {
    Stop();
    return ExitedWith(0);
  };
  EXPECT_EQ(Run().failure_reason, kOutOfMemory);
}

TEST_F(TaskRunMemoryTest, EarlierOomKillIsNotReason) {
  scripts_["command"] = [this](const Command&, const Activity& activity) {
    CountKills(8);
    (void)activity.ReportWork();
    absl::SleepFor(absl::Milliseconds(2100));
    Stop();
    (void)activity.ReportWork();
    return DiedOf(SIGTERM);
  };
  const Outcome outcome = Run();
  EXPECT_FALSE(outcome.abandoned);
  EXPECT_EQ(outcome.failure_reason, "SIGTERM");
}

TEST_F(TaskRunMemoryTest, StopWithoutOomKillIsNotAbandoned) {
  scripts_["command"] = [this](const Command&, const Activity&) {
    Stop();
    return DiedOf(SIGTERM);
  };
  EXPECT_FALSE(Run().abandoned);
}

INSTANTIATE_TEST_SUITE_P(EveryStep, TaskRunCancelTest, testing::ValuesIn(kSteps),
                         [](const auto& step) { return "Step" + std::to_string(step.index); });

TEST_P(TaskRunCancelTest, StopHandsBackWithLog) {
  const Outcome outcome = RunCancelledAfter(GetParam(), CancelKind::kHandBack);
  EXPECT_EQ(outcome.kind, Outcome::Kind::kHandBack);
  EXPECT_EQ(outcome.failure_reason, "stopped for a test");
  EXPECT_FALSE(outcome.machine_fault);
  EXPECT_THAT(Stdout(), EndsWith("sparkles: stopped for a test\n"));
  EXPECT_TRUE(Result().is_null());
  EXPECT_FALSE(memory_.Get(kOutput).has_value());
}

TEST_P(TaskRunCancelTest, KilledTaskDeliversLog) {  // D29
  const Outcome outcome = RunCancelledAfter(GetParam(), CancelKind::kKilled);
  EXPECT_EQ(outcome.kind, Outcome::Kind::kKilled);
  EXPECT_EQ(outcome.failure_reason, "stopped for a test");
  EXPECT_THAT(Stdout(), EndsWith("sparkles: stopped for a test\n"));
  EXPECT_TRUE(Result().is_null());
}

TEST_P(TaskRunCancelTest, LostClaimUploadsNothing) {  // D17
  const Outcome outcome = RunCancelledAfter(GetParam(), CancelKind::kClaimLost);
  EXPECT_EQ(outcome.kind, Outcome::Kind::kClaimLost);
  EXPECT_EQ(outcome.failure_reason, "stopped for a test");
  EXPECT_EQ(Stdout(), "(none)");
  EXPECT_TRUE(Result().is_null());
  EXPECT_FALSE(memory_.Get(kOutput).has_value());
}

TEST_P(TaskRunCancelTest, CancelStartsNoFurtherStep) {
  RunCancelledAfter(GetParam(), CancelKind::kClaimLost);
  EXPECT_EQ(steps_.back(), GetParam());
  EXPECT_THAT(TaskDirectories(), IsEmpty());
}

TEST_F(TaskRunCancelTest, StoppedCommandKeepsPrintedOutput) {
  scripts_["command"] = [this](const Command& command, const Activity& activity) {
    EXPECT_TRUE(WriteAll(command.output_fd, "epoch 1 of 9", "stdout").ok());
    cancel_.Cancel(CancelKind::kHandBack, "preempted");
    EXPECT_TRUE(activity.cancel().cancelled());
    return DiedOf(SIGTERM);
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kHandBack);
  EXPECT_THAT(Stdout(), EndsWith("epoch 1 of 9\nsparkles: preempted\n"));
  EXPECT_EQ(LastRun(), "run command");
}

// systemd sends TERM to all processes of a unit: the command may end before the worker sees it.
TEST_F(TaskRunCancelTest, CommandStoppedBeforeWorkerHandsBack) {
  clock_.OnSleep([this](size_t) { cancel_.Cancel(CancelKind::kHandBack, "SIGTERM"); });
  scripts_["command"] = [](const Command&, const Activity&) { return DiedOf(SIGKILL); };
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  scripts_["command"] = [](const Command&, const Activity&) { return ExitedWith(143); };
  EXPECT_EQ(Run().kind, Outcome::Kind::kHandBack);
}

TEST_F(TaskRunCancelTest, ScriptStoppedBeforeWorkerHandsBack) {
  clock_.OnSleep([this](size_t) { cancel_.Cancel(CancelKind::kHandBack, "SIGTERM"); });
  scripts_["post-exec"] = [](const Command&, const Activity&) { return DiedOf(SIGTERM); };
  EXPECT_EQ(Run().kind, Outcome::Kind::kHandBack);
}

TEST_F(TaskRunCancelTest, SigtermWithoutStopIsComplete) {
  scripts_["command"] = [](const Command&, const Activity&) { return DiedOf(SIGTERM); };
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kComplete);
  EXPECT_EQ(outcome.exit_code, "143");
}

TEST_F(TaskRunCancelTest, FullLogIsStillDelivered) {
  scripts_["command"] = [this](const Command& command, const Activity&) {
    EXPECT_TRUE(WriteAll(command.output_fd, "epoch 1 of 9\n", "stdout").ok());
    // From now on writes to the log fail, as on a full disk.
    const auto again =
        OpenFile("/proc/self/fd/" + std::to_string(command.output_fd), O_RDONLY).value();
    EXPECT_EQ(dup2(again.get(), command.output_fd), command.output_fd);
    cancel_.Cancel(CancelKind::kHandBack, "preempted");
    return DiedOf(SIGTERM);
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kHandBack);
  EXPECT_THAT(Stdout(), EndsWith("epoch 1 of 9\n"));
}

TEST_F(TaskRunCancelTest, StopBetweenOutputsEndsUploads) {
  scripts_["post-exec"] = [](const Command& command, const Activity&) {
    EXPECT_TRUE(WriteFileAtomically(command.directory + "/z.txt", "later", false).ok());
    return ExitedWith(0);
  };
  const Outcome outcome = RunCancelledAfter("upload gs://out/1/out.txt", CancelKind::kHandBack);
  EXPECT_EQ(outcome.kind, Outcome::Kind::kHandBack);
  EXPECT_FALSE(memory_.Get("gs://out/1/z.txt").has_value());
  EXPECT_TRUE(Result().is_null());
}

TEST_F(TaskRunCancelTest, StopDuringOutputSearchHandsBack) {
  scripts_["post-exec"] = [](const Command& command, const Activity&) {
    for (const char* name : {"a", "b", "c"}) {
      EXPECT_TRUE(WriteFileAtomically(command.directory + "/" + name, "output", false).ok());
    }
    return ExitedWith(0);
  };
  bool searching = false;
  int looks = 0;
  confirm_claim_ = [&](Freshness, const CancelToken&) {
    searching = true;
    return ClaimState::kHeld;
  };
  on_activity_ = [&](uint64_t) {
    if (!searching || ++looks < 2) return;
    cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kHandBack);
  EXPECT_EQ(looks, 4);  // two of the search, two of the log's upload
  EXPECT_FALSE(memory_.Get(kOutput).has_value());
  EXPECT_TRUE(Result().is_null());
}

// All outputs are delivered, and two more small objects cost less than a second attempt.
TEST_F(TaskRunCancelTest, StopAfterLastOutputIsIgnored) {
  EXPECT_EQ(RunCancelledAfter("upload gs://out/1/out.txt", CancelKind::kHandBack).kind,
            Outcome::Kind::kComplete);
  EXPECT_FALSE(Result().contains("failure_reason"));
}

// The objects may already belong to the next owner of the task.
TEST_F(TaskRunCancelTest, ClaimLossAfterOutputsSkipsLog) {
  EXPECT_EQ(RunCancelledAfter("upload gs://out/1/out.txt", CancelKind::kClaimLost).kind,
            Outcome::Kind::kClaimLost);
  EXPECT_EQ(Stdout(), "(none)");
  EXPECT_TRUE(Result().is_null());
}

TEST_F(TaskRunCancelTest, ClaimLossAfterLogSkipsResult) {
  EXPECT_EQ(RunCancelledAfter("upload gs://out/1/stdout.txt", CancelKind::kClaimLost).kind,
            Outcome::Kind::kClaimLost);
  EXPECT_TRUE(Result().is_null());
}

TEST_F(TaskRunLostClaimTest, LostClaimOverwritesNoObject) {  // D17
  for (const char* url : {kOutput, kStdout, kResult}) memory_.Put(url, "the new owner's");
  confirm_claim_ = [](Freshness freshness, const CancelToken&) {
    // The last check is recent.
    return freshness == Freshness::kRecent ? ClaimState::kHeld : ClaimState::kLost;
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kClaimLost);
  for (const char* url : {kOutput, kStdout, kResult}) {
    EXPECT_EQ(memory_.Get(url), "the new owner's") << url;
  }
}

TEST_F(TaskRunLostClaimTest, JobKilledBeforeUploadsIsRecorded) {
  confirm_claim_ = [](Freshness, const CancelToken&) { return ClaimState::kKilled; };
  EXPECT_EQ(Run().kind, Outcome::Kind::kKilled);
  EXPECT_FALSE(memory_.Get(kOutput).has_value());
}

TEST_F(TaskRunLostClaimTest, UnknownClaimDelaysNoDelivery) {
  confirm_claim_ = [](Freshness, const CancelToken&) { return absl::UnavailableError("503"); };
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
}

TEST_F(TaskRunLostClaimTest, StoppedWorkerOverwritesNoLog) {
  memory_.Put(kStdout, "the new owner's");
  confirm_claim_ = [](Freshness freshness, const CancelToken&) {
    return freshness == Freshness::kRecent ? ClaimState::kHeld : ClaimState::kLost;
  };
  after_step_ = [this](const std::string& step) {
    if (step == "run command") cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kHandBack);
  EXPECT_EQ(Stdout(), "the new owner's");
}

// Without a deadline, the check of the claim could take all the time of the stop.
TEST_F(TaskRunLostClaimTest, ClaimCheckDuringStopHasDeadline) {
  memory_.Put(kStdout, "of an earlier attempt");
  confirm_claim_ = [](Freshness freshness,
                      const CancelToken& cancel) -> absl::StatusOr<ClaimState> {
    if (freshness == Freshness::kRecent) return ClaimState::kHeld;
    const CancelToken never;
    AwaitCancel(cancel, never);
    return absl::CancelledError(cancel.reason());
  };
  after_step_ = [this](const std::string& step) {
    if (step == "run command") cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kHandBack);
  EXPECT_EQ(Stdout(), "of an earlier attempt");
}

}  // namespace
}  // namespace sparkles
