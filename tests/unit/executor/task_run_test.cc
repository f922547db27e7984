#include "executor/task_run.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "base/crc32c.h"
#include "base/file.h"
#include "tests/support/executor_fixture.h"

namespace sparkles {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

class TaskRunTest : public ExecutorFixture {};

TEST_F(TaskRunTest, StepsRunInOrderResultLast) {  // D03, D40
  memory_.Put("gs://in/spec.json", DumpJson(spec_));
  task_.args = "gs://in/spec.json";
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  EXPECT_THAT(steps_, ElementsAre("read gs://in/spec.json", "run pre-download",
                                  "download gs://in/input.txt", "run post-download", "run pre-exec",
                                  "run command", "run post-exec", "upload gs://out/1/out.txt",
                                  "upload gs://out/1/stdout.txt", "flush",
                                  "upload gs://out/1/result.json", "flush"));
}

TEST_F(TaskRunTest, ScriptsAfterDownloadSeeInput) {
  std::vector<std::string> with_input;
  for (const char* script : {"pre-download", "post-download", "pre-exec", "post-exec"}) {
    scripts_[script] = [&with_input, script](const Command& command, const Activity&) {
      if (std::filesystem::exists(command.directory + "/input.txt"))
        with_input.emplace_back(script);
      return ExitedWith(0);
    };
  }
  Run();
  EXPECT_THAT(with_input, ElementsAre("post-download", "pre-exec", "post-exec"));
}

TEST_F(TaskRunTest, LogIsAnnouncedBeforeFirstStep) {
  std::string announced;
  options_.on_log = [&](const std::string& task_id, const std::string& path) {
    announced = task_id + " " + ReadFile(path, 100).value_or("(unreadable)");
    EXPECT_THAT(steps_, IsEmpty());
  };
  Run();
  EXPECT_EQ(announced, "job.1 ");
}

TEST_F(TaskRunTest, CommandAloneIsEnough) {
  spec_ = {{"command", "command"}};
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kComplete);
  EXPECT_EQ(outcome.exit_code, "0");
  EXPECT_THAT(steps_, ElementsAre("run command"));
  EXPECT_THAT(memory_.Urls(), ElementsAre(kInput));
}

TEST_F(TaskRunTest, ResultListsAcknowledgedFiles) {
  Run();
  const Json result = Result();
  EXPECT_EQ(result.at("command"), "command");
  EXPECT_EQ(result.at("parameters"), Json({{"index", "1"}}));
  EXPECT_EQ(result.at("return_code"), "0");
  EXPECT_FALSE(result.contains("failure_reason"));
  ASSERT_THAT(result.at("files"), SizeIs(2));
  const Json& output = result.at("files").at(0);
  EXPECT_EQ(output.at("src"), "out.txt");
  EXPECT_EQ(output.at("dst_url"), kOutput);
  EXPECT_EQ(output.at("size"), 7);
  EXPECT_EQ(output.at("crc32c"), Crc32c("output\n"));
  EXPECT_EQ(output.at("generation"), 1);
  EXPECT_EQ(result.at("files").at(1).at("src"), "stdout.txt");
  EXPECT_EQ(result.at("files").at(1).at("dst_url"), kStdout);
  EXPECT_EQ(memory_.Get(kOutput), "output\n");
}

TEST_F(TaskRunTest, LogBeginsWithDownloads) {
  Run();
  EXPECT_EQ(Stdout(), "sparkles: Downloading 1 files...\nsparkles: download complete.\nhello\n");
}

TEST_F(TaskRunTest, LogWithoutDownloadsIsCommandOutput) {
  spec_.erase("downloads");
  Run();
  EXPECT_EQ(Stdout(), "hello\n");
}

TEST_F(TaskRunTest, OnlyChangedInputsAreOutputs) {
  spec_["post-exec-script"] = "";
  Run();
  EXPECT_FALSE(memory_.Get("gs://out/1/input.txt").has_value());
  scripts_["command"] = [](const Command& command, const Activity&) {
    EXPECT_TRUE(WriteFileAtomically(command.directory + "/input.txt", "edited", false).ok());
    return ExitedWith(0);
  };
  Run();
  EXPECT_EQ(memory_.Get("gs://out/1/input.txt"), "edited");
}

TEST_F(TaskRunTest, ExcludedFilesAreNotUploaded) {
  spec_["uploads"]["exclude_patterns"] = {"*.txt"};
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  EXPECT_THAT(memory_.Urls(), ElementsAre(kInput, kResult, kStdout));
}

TEST_F(TaskRunTest, FailedCommandIsCompleteTask) {
  scripts_["command"] = [](const Command&, const Activity&) { return ExitedWith(3); };
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kComplete);
  EXPECT_EQ(outcome.exit_code, "3");
  EXPECT_EQ(outcome.failure_reason, "");
  EXPECT_EQ(Result().at("return_code"), "3");
}

TEST_F(TaskRunTest, SignalGivesExitCodeAndName) {  // D25
  scripts_["command"] = [](const Command&, const Activity&) { return DiedOf(SIGKILL); };
  EXPECT_EQ(Run().exit_code, "137");
  EXPECT_EQ(Result().at("return_code"), "signaled(killed)");
}

TEST_F(TaskRunTest, FailedScriptIsOnlyLogged) {
  for (const char* script : {"pre-download", "post-download", "pre-exec", "post-exec"}) {
    scripts_[script] = [](const Command&, const Activity&) { return ExitedWith(9); };
  }
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  EXPECT_THAT(recorded_.Text(), HasSubstr("[job.1] pre-download-script ended with 9"));
  EXPECT_THAT(recorded_.Text(), HasSubstr("[job.1] post-exec-script ended with 9"));
}

TEST_F(TaskRunTest, ScriptOutputGoesToWorkerLog) {  // D41
  scripts_["pre-exec"] = [](const Command& command, const Activity&) {
    EXPECT_TRUE(WriteAll(command.output_fd, "from the script\nand more\n", "log").ok());
    return ExitedWith(0);
  };
  Run();
  EXPECT_THAT(recorded_.Text(), HasSubstr("[job.1] pre-exec-script: from the script\n"));
  EXPECT_THAT(recorded_.Text(), HasSubstr("[job.1] pre-exec-script: and more\n"));
  EXPECT_THAT(Stdout(), Not(HasSubstr("from the script")));
}

TEST_F(TaskRunTest, LongScriptOutputIsCut) {
  scripts_["pre-exec"] = [](const Command& command, const Activity&) {
    EXPECT_TRUE(WriteAll(command.output_fd, std::string((128 << 10) + 5, 'x'), "log").ok());
    return ExitedWith(0);
  };
  Run();
  EXPECT_THAT(recorded_.Text(), HasSubstr("pre-exec-script: ... 5 bytes are left out"));
}

TEST_F(TaskRunTest, WorkingDirAppliesOnlyToCommand) {
  spec_["working_dir"] = "sub";
  scripts_["pre-exec"] = [](const Command& command, const Activity&) {
    EXPECT_TRUE(MakeDirectories(command.directory + "/sub").ok());
    return ExitedWith(0);
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  EXPECT_THAT(CommandOf("command").directory, EndsWith("/work/sub"));
  EXPECT_THAT(CommandOf("post-exec").directory, EndsWith("/work"));
  EXPECT_EQ(memory_.Get("gs://out/1/sub/out.txt"), "output\n");
}

TEST_F(TaskRunTest, ShellGetsCommandAndGrace) {
  Run();
  EXPECT_THAT(CommandOf("command").argv, ElementsAre("/bin/sh", "-c", "command"));
  EXPECT_EQ(CommandOf("command").grace, absl::Seconds(7));
}

TEST_F(TaskRunTest, RunningCommandIsSignOfLife) {
  uint64_t beats = 0;
  scripts_["command"] = [&](const Command&, const Activity& activity) {
    beats = heartbeat_.beats();
    (void)activity.ReportWork();
    beats = heartbeat_.beats() - beats;
    return ExitedWith(0);
  };
  Run();
  EXPECT_EQ(beats, 1);
}

TEST_F(TaskRunTest, EnvironmentNamesTaskAndAttempt) {  // D38
  options_.environment = {"PATH=/bin", "SPARKLES_TASK_ID=outer", "SPARKLES_ATTEMPT=9",
                          "SPARKLES_JOB_ID=outer", "SPARKLES_HOME=/kept"};
  const std::vector<std::string> login = {"HOME=/h", "USER=u", "LOGNAME=u", "SHELL=/s",
                                          "TMPDIR=/tmp"};
  options_.environment.insert(options_.environment.end(), login.begin(), login.end());
  Run();
  EXPECT_THAT(
      CommandOf("command").environment,
      ElementsAre("PATH=/bin", "SPARKLES_HOME=/kept", "HOME=/h", "USER=u", "LOGNAME=u", "SHELL=/s",
                  "TMPDIR=/tmp", "SPARKLES_TASK_ID=job.1", "SPARKLES_JOB_ID=job",
                  "SPARKLES_TASK_INDEX=1", "SPARKLES_ATTEMPT=2", StartsWith("SPARKLES_TASK_DIR=/"),
                  StartsWith("SPARKLES_CHECKPOINT_DIR=/")));
  EXPECT_EQ(CommandOf("pre-download").environment, CommandOf("command").environment);
}

TEST_F(TaskRunTest, InvalidSpecDeliversLogAndResult) {
  spec_["uploads"]["include_patterns"] = {"[oops"};
  EXPECT_EQ(Run().kind, Outcome::Kind::kFailed);
  EXPECT_THAT(Stdout(), HasSubstr("include_patterns"));
  EXPECT_THAT(DumpJson(Result()), HasSubstr("include_patterns"));
}

TEST_F(TaskRunTest, InvalidDestinationFailsEarly) {
  for (const char* url :
       {"gs://", "gs://lab", "gs:///x", "gs://lab/", "http://x/y", "file:///a/.."}) {
    for (const char* field : {"stdout_url", "command_result_url"}) {
      const Json good = spec_[field];
      spec_[field] = url;
      task_.args.clear();
      const Outcome outcome = Run();
      EXPECT_EQ(outcome.kind, Outcome::Kind::kFailed);
      EXPECT_THAT(outcome.failure_reason, StartsWith(absl::StrCat(field, ": ")));
      spec_[field] = good;
    }
  }
  EXPECT_THAT(steps_, Not(testing::Contains(HasSubstr("run "))));
}

TEST_F(TaskRunTest, OutputNamedLikeLogIsSkipped) {
  spec_["uploads"]["include_patterns"] = {"*"};
  scripts_["command"] = [](const Command& command, const Activity&) {
    EXPECT_TRUE(WriteFileAtomically(command.directory + "/stdout.txt", "forged", false).ok());
    return ExitedWith(0);
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  EXPECT_EQ(Result()["skipped"][0]["src"], "stdout.txt");
}

TEST_F(TaskRunTest, LogSurvivesRemovalOfFile) {  // D43
  scripts_["command"] = [](const Command& command, const Activity&) {
    EXPECT_EQ(unlink((command.directory + "/stdout.txt").c_str()), 0);
    EXPECT_TRUE(WriteFileAtomically(command.directory + "/stdout.txt", "forged", false).ok());
    EXPECT_TRUE(WriteAll(command.output_fd, "truth\n", "stdout").ok());
    return ExitedWith(0);
  };
  Run();
  EXPECT_THAT(Stdout(), EndsWith("truth\n"));
  EXPECT_THAT(Stdout(), Not(HasSubstr("forged")));
}

TEST_F(TaskRunTest, LeftoversAreLogged) {
  scripts_["command"] = [](const Command&, const Activity&) {
    CommandExit exit = ExitedWith(0);
    exit.leftovers = 2;
    return exit;
  };
  Run();
  EXPECT_THAT(recorded_.Text(), HasSubstr("2 processes outlived the command"));
}

TEST_F(TaskRunTest, DirectoryIsRemovedAfterTask) {  // D46
  Run();
  EXPECT_THAT(TaskDirectories(), IsEmpty());
}

TEST_F(TaskRunTest, DirectoryStaysUntilEndIsRecorded) {
  uint64_t beats;
  {
    const Outcome outcome = Run();
    EXPECT_THAT(TaskDirectories(), SizeIs(1));
    beats = heartbeat_.beats();
  }
  EXPECT_THAT(TaskDirectories(), IsEmpty());
  EXPECT_GT(heartbeat_.beats(), beats) << "a removal may take long";
}

TEST_F(TaskRunTest, EachStepShowsItsPhase) {
  std::map<std::string, TaskSnapshot> seen;
  after_step_ = [&](const std::string& step) { seen[step] = current_.Read().value(); };
  current_.Begin(task_.id, clock_.Now());
  Run();
  EXPECT_EQ(seen["run pre-download"].phase, TaskPhase::kPreparing);
  EXPECT_EQ(seen[absl::StrCat("download ", kInput)].phase, TaskPhase::kFetching);
  EXPECT_EQ(seen[absl::StrCat("download ", kInput)].files, 1);
  EXPECT_EQ(seen["run pre-exec"].phase, TaskPhase::kPreparing);
  EXPECT_EQ(seen["run command"].phase, TaskPhase::kRunning);
  EXPECT_EQ(seen[absl::StrCat("upload ", kOutput)].phase, TaskPhase::kStoring);
  EXPECT_EQ(seen[absl::StrCat("upload ", kOutput)].files, 1);
  EXPECT_EQ(seen[absl::StrCat("upload ", kResult)].phase, TaskPhase::kStoring);
  EXPECT_EQ(seen[absl::StrCat("upload ", kResult)].task_id, task_.id);
}

TEST_F(TaskRunTest, KeepTasksKeepsDirectory) {
  options_.keep_tasks = true;
  Run();
  ASSERT_THAT(TaskDirectories(), SizeIs(1));
  EXPECT_EQ(ReadFile(TaskDirectories()[0] + "/work/out.txt", 100).value(), "output\n");
}

TEST_F(TaskRunTest, SpecUrlsWinOverQueueUrls) {
  task_.log_url = "gs://queue/stdout.txt";
  task_.command_result_url = "gs://queue/result.json";
  spec_.erase("stdout_url");
  Run();
  EXPECT_THAT(memory_.Urls(), IsSupersetOf({std::string(kResult), task_.log_url}));
  EXPECT_THAT(memory_.Urls(), Not(Contains(StartsWith("gs://queue/result"))));
}

}  // namespace
}  // namespace sparkles
