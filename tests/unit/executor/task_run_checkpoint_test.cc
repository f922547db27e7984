// Tests the checkpoint as a step of a task's run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/support/executor_fixture.h"

namespace sparkles {
namespace {

using testing::HasSubstr;
using testing::Not;

class TaskRunCheckpointTest : public ExecutorFixture {
 protected:
  static constexpr char kManifest[] = "gs://out/1/sparkles-checkpoint/manifest.json";

  TaskRunCheckpointTest() {
    options_.checkpoint.every = absl::InfiniteDuration();  // only the last save
    attempt_ = 1;
    scripts_["command"] = [this](const Command& command, const Activity&) {
      const std::string directory = VariableOf(command, "SPARKLES_CHECKPOINT_DIR");
      EXPECT_TRUE(WriteFileAtomically(directory + "/step", "7", false).ok());
      if (stop_) cancel_.Cancel(CancelKind::kHandBack, "preempted");
      return ExitedWith(0);
    };
    scripts_["pre-exec"] = [this](const Command& command, const Activity&) {
      const std::string directory = VariableOf(command, "SPARKLES_CHECKPOINT_DIR");
      restored_ = ReadFile(directory + "/step", 10).value_or("(none)");
      return ExitedWith(0);
    };
  }

  static std::string VariableOf(const Command& command, const std::string& name) {
    for (absl::string_view variable : command.environment) {
      if (absl::ConsumePrefix(&variable, name + "=")) return std::string(variable);
    }
    return "";
  }
  bool Took(const std::string& start) {
    return std::any_of(steps_.begin(), steps_.end(),
                       [&](const std::string& step) { return absl::StartsWith(step, start); });
  }

  bool stop_ = true;
  std::string restored_;  // as the pre-exec-script found it
};

TEST_F(TaskRunCheckpointTest, HandBackSavesAfterTheCommand) {
  EXPECT_EQ(Run().kind, Outcome::Kind::kHandBack);
  EXPECT_EQ(restored_, "(none)");
  EXPECT_TRUE(memory_.Get(kManifest).has_value());
  const auto command = std::find(steps_.begin(), steps_.end(), "run command");
  const auto saved = std::find(steps_.begin(), steps_.end(), absl::StrCat("upload ", kManifest));
  EXPECT_LT(command, saved);
}

TEST_F(TaskRunCheckpointTest, NextAttemptFindsItBeforePreExec) {
  // A machine fault hands the task back, and leaves the token of this fixture as it is.
  stop_ = false;
  failing_.Add({.method = StoreMethod::kUpload,
                .url_part = "out.txt",
                .times = 1,
                .status = MachineFault(absl::UnavailableError("no network"))});
  scripts_["post-exec"] = [](const Command& command, const Activity&) {
    EXPECT_TRUE(WriteFileAtomically(command.directory + "/out.txt", "output\n", false).ok());
    return ExitedWith(0);
  };
  ASSERT_EQ(Run().kind, Outcome::Kind::kHandBack);
  attempt_ = 2;
  const Outcome second = Run();
  ASSERT_EQ(second.kind, Outcome::Kind::kComplete) << second.failure_reason;
  EXPECT_EQ(restored_, "7");
  EXPECT_THAT(Stdout(), HasSubstr("sparkles: restored 1 file, 1 B, saved 0 s before attempt 1"));
  EXPECT_EQ(Result()["checkpoint"]["restored_from_attempt"], 1);
  EXPECT_EQ(Result()["checkpoint"]["files"], 1);
  ASSERT_TRUE(second.when_ended);
  second.when_ended(CancelToken());
  for (const std::string& url : memory_.Urls()) {
    EXPECT_THAT(url, Not(HasSubstr("checkpoint"))) << url;
  }
}

TEST_F(TaskRunCheckpointTest, FirstAttemptReadsNoManifest) {
  stop_ = false;
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  EXPECT_FALSE(Took(absl::StrCat("read ", kManifest)));
  EXPECT_FALSE(Result().contains("checkpoint"));
  EXPECT_THAT(Stdout(), Not(HasSubstr("checkpoint")));
}

TEST_F(TaskRunCheckpointTest, OutputsDoNotIncludeIt) {
  stop_ = false;
  spec_["uploads"]["include_patterns"] = {"**", "/**", "*"};
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  for (const std::string& url : memory_.Urls()) EXPECT_THAT(url, Not(HasSubstr("step"))) << url;
}

TEST_F(TaskRunCheckpointTest, StoreInTroubleHandsBackBeforeCommand) {
  attempt_ = 2;
  failing_.Add({.method = StoreMethod::kReadBytes,
                .url_part = "manifest.json",
                .status = MachineFault(absl::UnavailableError("no network"))});
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kHandBack);
  EXPECT_TRUE(outcome.machine_fault);
  EXPECT_FALSE(Took("run command"));
}

}  // namespace
}  // namespace sparkles
