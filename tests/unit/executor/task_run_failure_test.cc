// Tests of failing steps: some fail the task, and machine faults hand it back.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "base/status.h"
#include "tests/support/executor_fixture.h"

namespace sparkles {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

FakeProcessRunner::Action Returns(const absl::Status& status) {
  return [status](const Command&, const Activity&) { return status; };
}

// Makes later writes to `fd` fail. Its content can still be read.
void MakeWritesFail(int fd) {
  const auto again = OpenFile("/proc/self/fd/" + std::to_string(fd), O_RDONLY);
  EXPECT_EQ(dup2(again.value().get(), fd), fd);
}

class TaskRunFailureTest : public ExecutorFixture {
 protected:
  // Checks that the task failed for `reason`, and that log and result have the reason.
  void ExpectFailedAndRecorded(const std::string& reason) {
    const Outcome outcome = Run();
    EXPECT_EQ(outcome.kind, Outcome::Kind::kFailed);
    EXPECT_THAT(outcome.failure_reason, StartsWith(reason));
    EXPECT_FALSE(outcome.machine_fault);
    EXPECT_THAT(Stdout(), EndsWith("sparkles: failed: " + outcome.failure_reason + "\n"));
    EXPECT_EQ(Result().value("failure_reason", "(none)"), outcome.failure_reason);
  }

  // Checks that the task is handed back without a result.json.
  void ExpectHandedBack(const std::string& reason) {
    const Outcome outcome = Run();
    EXPECT_EQ(outcome.kind, Outcome::Kind::kHandBack);
    EXPECT_TRUE(outcome.machine_fault);
    EXPECT_THAT(outcome.failure_reason, HasSubstr(reason));
    EXPECT_TRUE(Result().is_null());
  }

  void Fail(StoreMethod method, const std::string& url, const absl::Status& status,
            int times = 1'000'000) {
    failing_.Add({.method = method, .url_part = url, .times = times, .status = status});
  }
};

TEST_F(TaskRunFailureTest, InvalidSpecFailsWithQueueUrls) {  // D27, D30
  task_.args = "{";
  task_.log_url = kStdout;
  task_.command_result_url = kResult;
  ExpectFailedAndRecorded("args: is not valid JSON");
  EXPECT_THAT(runner_.commands(), IsEmpty());
}

TEST_F(TaskRunFailureTest, SurvivorsOfCommandFailTask) {
  scripts_["command"] = [](const Command& command, const Activity&) {
    EXPECT_TRUE(WriteFileAtomically(command.directory + "/out.txt", "half", false).ok());
    CommandExit exit = ExitedWith(0);
    exit.survivors = true;
    return exit;
  };
  ExpectFailedAndRecorded("command: processes that it started still run");
  EXPECT_EQ(Result().value("return_code", "(none)"), "0");
  EXPECT_FALSE(memory_.Get(kOutput).has_value());
}

TEST_F(TaskRunFailureTest, SurvivorsOfScriptFailTask) {
  scripts_["pre-exec"] = [](const Command&, const Activity&) {
    CommandExit exit = ExitedWith(0);
    exit.survivors = true;
    return exit;
  };
  ExpectFailedAndRecorded("pre-exec-script: processes that it started still run");
  EXPECT_EQ(runner_.commands().back().argv.back(), "pre-exec");
}

TEST_F(TaskRunFailureTest, CommandTimeoutDeliversLogAndResult) {  // D37
  options_.time_limit = absl::Hours(2);
  scripts_["command"] = [](const Command& command, const Activity&) {
    EXPECT_EQ(command.time_limit, absl::Hours(2));
    EXPECT_TRUE(WriteAll(command.output_fd, "epoch 1 of 9\n", "stdout").ok());
    CommandExit exit = DiedOf(SIGTERM);
    exit.timed_out = true;
    return exit;
  };
  ExpectFailedAndRecorded("time-out: it ran longer than --taskTimeout allows (2h)");
  EXPECT_THAT(Stdout(), HasSubstr("epoch 1 of 9\n"));
  EXPECT_EQ(Result().value("return_code", "(none)"), "signaled(terminated)");
  EXPECT_FALSE(memory_.Get(kOutput).has_value());
  EXPECT_THAT(TaskDirectories(), IsEmpty());
}

TEST_F(TaskRunFailureTest, MissingProgressFailsTask) {
  options_.no_progress_timeout = absl::Minutes(10);
  scripts_["command"] = [](const Command& command, const Activity&) {
    EXPECT_EQ(command.no_progress_timeout, absl::Minutes(10));
    EXPECT_TRUE(WriteFileAtomically(command.directory + "/out.txt", "half", false).ok());
    CommandExit exit = DiedOf(SIGTERM);
    exit.no_progress = true;
    return exit;
  };
  ExpectFailedAndRecorded("no progress for 10m (--noProgressTimeout)");
  EXPECT_EQ(Result()["cause"].value("kind", "(none)"), "no_progress");
  EXPECT_FALSE(memory_.Get(kOutput).has_value());
  EXPECT_THAT(TaskDirectories(), IsEmpty());
}

TEST_F(TaskRunFailureTest, StopAfterMissingProgressHandsBack) {
  options_.no_progress_timeout = absl::Minutes(10);
  scripts_["command"] = [this](const Command&, const Activity&) {
    cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
    CommandExit exit = DiedOf(SIGTERM);
    exit.no_progress = true;
    return exit;
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kHandBack);
}

TEST_F(TaskRunFailureTest, UnkillableCommandHandsBackWithoutUpload) {
  scripts_["command"] = [this](const Command&, const Activity&) -> absl::StatusOr<CommandExit> {
    cancel_.Cancel(CancelKind::kHandBack, "SIGTERM");
    cancel_.Hurry();
    return MachineFault(absl::DeadlineExceededError("the command still runs after SIGKILL"));
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kHandBack);
  EXPECT_FALSE(memory_.Get(kStdout).has_value());
}

// Acts like a command that has filled the disk.
TEST_F(TaskRunFailureTest, FullLogLeavesReasonInResult) {
  options_.time_limit = absl::Hours(2);
  scripts_["command"] = [](const Command& command, const Activity&) {
    EXPECT_TRUE(WriteAll(command.output_fd, "epoch 1 of 9\n", "stdout").ok());
    MakeWritesFail(command.output_fd);
    CommandExit exit = DiedOf(SIGTERM);
    exit.timed_out = true;
    return exit;
  };
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kFailed);
  EXPECT_THAT(outcome.failure_reason, StartsWith("time-out"));
  EXPECT_THAT(Stdout(), EndsWith("epoch 1 of 9\n"));
  EXPECT_EQ(Result().value("failure_reason", "(none)"), outcome.failure_reason);
}

TEST_F(TaskRunFailureTest, PostExecScriptRunsWithoutLog) {
  scripts_["command"] = [](const Command& command, const Activity&) {
    const std::string logs = command.directory + "/../log";
    EXPECT_TRUE(RemoveTree(logs).ok());
    EXPECT_TRUE(WriteFileAtomically(logs, "in the way", false).ok());
    return ExitedWith(0);
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  EXPECT_THAT(steps_, Contains("run post-exec"));
  EXPECT_THAT(recorded_.Text(), HasSubstr("post-exec-script: its output is not logged"));
}

TEST_F(TaskRunFailureTest, ScriptTimeoutDoesNotFailTask) {  // D41
  options_.time_limit = absl::Hours(2);
  scripts_["pre-exec"] = [](const Command& command, const Activity&) {
    EXPECT_EQ(command.time_limit, absl::Hours(2));
    CommandExit exit = DiedOf(SIGTERM);
    exit.timed_out = true;
    return exit;
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  EXPECT_THAT(recorded_.Text(), HasSubstr("pre-exec-script: time-out"));
}

TEST_F(TaskRunFailureTest, IdleScriptDoesNotFailTask) {
  options_.no_progress_timeout = absl::Minutes(10);
  scripts_["pre-exec"] = [](const Command& command, const Activity&) {
    EXPECT_EQ(command.no_progress_timeout, absl::Minutes(10));
    CommandExit exit = DiedOf(SIGTERM);
    exit.no_progress = true;
    return exit;
  };
  EXPECT_EQ(Run().kind, Outcome::Kind::kComplete);
  EXPECT_THAT(recorded_.Text(), HasSubstr("pre-exec-script: no progress for 10m"));
}

TEST_F(TaskRunFailureTest, EmptySpecFails) {  // D30
  task_.args = " \n";
  EXPECT_EQ(Run().failure_reason, "args: missing");
  EXPECT_EQ(Run().kind, Outcome::Kind::kFailed);
}

TEST_F(TaskRunFailureTest, MissingSpecObjectFails) {
  task_.args = "gs://in/none.json";
  EXPECT_EQ(Run().failure_reason, "args: gs://in/none.json: no such object");
}

TEST_F(TaskRunFailureTest, UnsupportedDestinationFailsEarly) {
  for (const char* field : {"stdout_url", "command_result_url"}) {
    Json broken = spec_;
    broken[field] = "s3://bucket/x";
    task_.args = DumpJson(broken);
    EXPECT_THAT(Run().failure_reason, StartsWith(std::string(field) + ": s3://bucket/x: not a"));
  }
  spec_["uploads"]["dst_url"] = "/tmp";
  task_.args = DumpJson(spec_);
  EXPECT_THAT(Run().failure_reason, StartsWith("uploads.dst_url: /tmp: not a"));
  EXPECT_THAT(runner_.commands(), IsEmpty());
}

TEST_F(TaskRunFailureTest, EqualLogAndResultUrlsFail) {
  for (const char* url : {"file:///out/1/x", "file:///out//1/./x"}) {
    spec_["stdout_url"] = url;
    spec_["command_result_url"] = "file:///out/1/x";
    task_.args = DumpJson(spec_);
    EXPECT_THAT(Run().failure_reason, StartsWith("stdout_url: "));
  }
  EXPECT_THAT(runner_.commands(), IsEmpty());
}

TEST_F(TaskRunFailureTest, OutputNamedLikeResultFailsTask) {
  const auto usual = scripts_["command"];
  scripts_["command"] = [usual](const Command& command, const Activity& activity) {
    EXPECT_TRUE(WriteFileAtomically(command.directory + "/result.json", "{}", false).ok());
    return usual(command, activity);
  };
  ExpectFailedAndRecorded("output result.json: its place gs://out/1/result.json is needed");
  EXPECT_EQ(memory_.Get(kOutput), "output\n");
}

TEST_F(TaskRunFailureTest, OutputsBelowResultFailEarly) {
  spec_["uploads"]["dst_url"] = "file:///out/1/result.json/";
  spec_["command_result_url"] = "file:///out//1/result.json";
  task_.args = DumpJson(spec_);
  EXPECT_THAT(Run().failure_reason,
              StartsWith("uploads.dst_url: file:///out/1/result.json is also the place of "));
  spec_["uploads"]["dst_url"] = "file://";
  task_.args = DumpJson(spec_);
  EXPECT_THAT(Run().failure_reason, StartsWith("uploads.dst_url: file:// has no path"));
  EXPECT_THAT(runner_.commands(), IsEmpty());
}

TEST_F(TaskRunFailureTest, DestinationWithTwoSourcesFails) {  // D09
  spec_["downloads"].push_back({{"src_url", "gs://in/other"}, {"dst", "./input.txt"}});
  EXPECT_THAT(Run().failure_reason,
              StartsWith("downloads[1].dst: is also the dst of downloads[0]"));
}

TEST_F(TaskRunFailureTest, MissingInputFailsAndIsNamed) {
  spec_["downloads"][0]["src_url"] = "gs://in/none";
  ExpectFailedAndRecorded("downloads: input.txt: gs://in/none: not found");
  EXPECT_FALSE(Result().contains("return_code"));
  EXPECT_THAT(steps_, Not(Contains("run command")));
}

TEST_F(TaskRunFailureTest, MissingWorkingDirFails) {  // D42
  spec_["working_dir"] = "no/such";
  ExpectFailedAndRecorded("working_dir: no/such: No such file or directory");
}

TEST_F(TaskRunFailureTest, WorkingDirBehindOutsideLinkFails) {  // D08
  spec_["working_dir"] = "link";
  scripts_["pre-exec"] = [](const Command& command, const Activity&) {
    EXPECT_EQ(symlink("/", (command.directory + "/link").c_str()), 0);
    return ExitedWith(0);
  };
  ExpectFailedAndRecorded("working_dir: link: ");
  EXPECT_THAT(steps_, Not(Contains("run command")));
}

TEST_F(TaskRunFailureTest, FileAsWorkingDirFails) {
  spec_["working_dir"] = "input.txt";
  ExpectFailedAndRecorded("command: chdir ");
}

TEST_F(TaskRunFailureTest, MovedWorkDirectoryFails) {
  scripts_["command"] = [](const Command& command, const Activity&) {
    const std::string work = command.directory.substr(0, command.directory.rfind("/work") + 5);
    EXPECT_EQ(rename(work.c_str(), (work + "-moved").c_str()), 0);
    EXPECT_EQ(symlink("/", work.c_str()), 0);
    return ExitedWith(0);
  };
  ExpectFailedAndRecorded("the task moved or replaced its own work directory");
}

TEST_F(TaskRunFailureTest, UndeliveredOutputFailsAndIsUnlisted) {  // D01
  memory_.Put(kOutput, "of an earlier attempt");
  Fail(StoreMethod::kUpload, kOutput, absl::PermissionDeniedError("gs://out/1/out.txt: no"));
  ExpectFailedAndRecorded("gs://out/1/out.txt: no");
  ASSERT_THAT(Result().at("files"), SizeIs(1));
  EXPECT_EQ(Result().at("files").at(0).at("src"), "stdout.txt");
  EXPECT_EQ(Result().at("return_code"), "0");
}

TEST_F(TaskRunFailureTest, UndeliveredOutputsAreKeptOnDisk) {  // D16
  Fail(StoreMethod::kUpload, kOutput, absl::PermissionDeniedError("no"));
  Run();
  ASSERT_THAT(TaskDirectories(), SizeIs(1));
  EXPECT_EQ(ReadFile(TaskDirectories()[0] + "/work/out.txt", 100).value(), "output\n");
}

TEST_F(TaskRunFailureTest, FailedDownloadKeepsNoDirectory) {
  spec_["downloads"][0]["src_url"] = "gs://in/none";
  Run();
  EXPECT_THAT(TaskDirectories(), IsEmpty());
}

TEST_F(TaskRunFailureTest, UndeliveredLogFailsAndIsUnlisted) {
  Fail(StoreMethod::kUpload, kStdout, absl::PermissionDeniedError("gs://out/1/stdout.txt: no"));
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kFailed);
  EXPECT_EQ(Result().at("failure_reason"), "gs://out/1/stdout.txt: no");
  ASSERT_THAT(Result().at("files"), SizeIs(1));
  EXPECT_EQ(Result().at("files").at(0).at("src"), "out.txt");
}

TEST_F(TaskRunFailureTest, UndeliveredResultFails) {  // D01
  Fail(StoreMethod::kUploadBytes, kResult, absl::PermissionDeniedError("no"));
  const Outcome outcome = Run();
  EXPECT_EQ(outcome.kind, Outcome::Kind::kFailed);
  EXPECT_EQ(outcome.failure_reason, "result.json: no");
  EXPECT_THAT(recorded_.Text(), HasSubstr("the log or result.json of the failed task is missing"));
}

TEST_F(TaskRunFailureTest, FailedFlushUploadsNoResult) {
  Fail(StoreMethod::kFlush, "", absl::UnknownError("fsync"));
  EXPECT_EQ(Run().kind, Outcome::Kind::kFailed);
  EXPECT_TRUE(Result().is_null());
}

TEST_F(TaskRunFailureTest, LongReasonIsTruncated) {  // D22
  Fail(StoreMethod::kUpload, kOutput, absl::PermissionDeniedError(std::string(5000, 'x')));
  EXPECT_EQ(Run().failure_reason.size(), kMaxFailureReasonBytes);
}

TEST_F(TaskRunFailureTest, UnusableTasksDirHandsBack) {  // D31
  options_.tasks_dir = directory_ / "file";
  ASSERT_TRUE(WriteFileAtomically(options_.tasks_dir, "", false).ok());
  ExpectHandedBack("not a directory");
}

TEST_F(TaskRunFailureTest, DownloadToFullDiskHandsBack) {  // D14
  Fail(StoreMethod::kDownload, kInput, ErrnoError(ENOSPC, kInput));
  ExpectHandedBack("No space left on device");
  EXPECT_THAT(Stdout(), HasSubstr("No space left on device"));
}

TEST_F(TaskRunFailureTest, UnusableShellHandsBack) {
  scripts_["command"] = Returns(ErrnoError(ENOENT, "exec /bin/sh"));
  ExpectHandedBack("command: exec /bin/sh: No such file or directory");
}

TEST_F(TaskRunFailureTest, UnusableShellForScriptHandsBack) {
  scripts_["pre-exec"] = Returns(ErrnoError(EACCES, "exec /bin/sh"));
  ExpectHandedBack("pre-exec-script: exec /bin/sh: Permission denied");
}

TEST_F(TaskRunFailureTest, OverlongCommandFailsTask) {
  scripts_["command"] = Returns(absl::InvalidArgumentError("exec /bin/sh: too long"));
  ExpectFailedAndRecorded("command: exec /bin/sh: too long");
}

TEST_F(TaskRunFailureTest, OutputsToFullDiskHandBack) {
  failing_.SetQuota(3);
  ExpectHandedBack("No space left on device");
}

TEST_F(TaskRunFailureTest, LogToFullDiskHandsBack) {
  Fail(StoreMethod::kUpload, kStdout, ErrnoError(ENOSPC, kStdout));
  ExpectHandedBack("No space left on device");
}

TEST_F(TaskRunFailureTest, ResultToFullDiskHandsBack) {
  Fail(StoreMethod::kUploadBytes, kResult, ErrnoError(ENOSPC, kResult));
  ExpectHandedBack("result.json: gs://out/1/result.json: No space left on device");
}

TEST_F(TaskRunFailureTest, FlushErrorHandsBack) {
  Fail(StoreMethod::kFlush, "", ErrnoError(EIO, "fsync"));
  ExpectHandedBack("Input/output error");
}

TEST_F(TaskRunFailureTest, UnrecordableFailureHandsBack) {
  spec_["downloads"][0]["src_url"] = "gs://in/none";
  Fail(StoreMethod::kUploadBytes, kResult, ErrnoError(ENOSPC, kResult));
  ExpectHandedBack("No space left on device");
}

TEST_F(TaskRunFailureTest, HandedBackTaskKeepsNoDirectory) {
  failing_.SetQuota(3);
  Run();
  EXPECT_THAT(TaskDirectories(), IsEmpty());
}

}  // namespace
}  // namespace sparkles
