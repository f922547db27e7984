// Tests the state in which a command starts, and the report when the command ends.
#include "process/posix_process_runner.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "process/monotonic.h"
#include "tests/contract/posix_process_runner_fixture.h"
#include "tests/support/eventually.h"
#include "tests/support/sanitizers.h"

namespace sparkles {
namespace {

TEST_F(PosixProcessRunnerTest, EveryExitCodeIsReported) {
  for (int code = 0; code < 256; ++code) {
    const CommandExit exit = Run(absl::StrCat("exit ", code));
    ASSERT_TRUE(WIFEXITED(exit.wait_status));
    ASSERT_EQ(WEXITSTATUS(exit.wait_status), code);
  }
}

TEST_F(PosixProcessRunnerTest, EveryDeadlySignalIsReported) {
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGKILL,
                           SIGSEGV, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGXCPU, SIGSYS}) {
    const CommandExit exit = Run(absl::StrCat("ulimit -c 0; kill -", signal, " $$; exit 1"));
    ASSERT_TRUE(WIFSIGNALED(exit.wait_status)) << signal;
    ASSERT_EQ(WTERMSIG(exit.wait_status), signal);
  }
}

// D21
TEST_F(PosixProcessRunnerTest, StdinIsOpenAndEmpty) {
  Run("readlink /proc/self/fd/0; cat && echo read");
  EXPECT_EQ(Output(), "/dev/null\nread\n");
}

TEST_F(PosixProcessRunnerTest, CommandInheritsOnlyStandardDescriptors) {
  const UniqueFd inherited(open("/dev/null", O_RDONLY));  // NOLINT: without O_CLOEXEC on purpose
  Start();
  const UniqueFd later(open("/dev/null", O_RDONLY));  // NOLINT: likewise
  ASSERT_TRUE(runner_->KeepOpenInLauncher(later.get()).ok());
  Command command = Shell("");
  command.argv = {"/bin/ls", "/proc/self/fd"};
  ASSERT_TRUE(runner_->Run(command, Activity(cancel_)).ok());
  EXPECT_EQ(Output(), "0\n1\n2\n3\n");  // 3 is the directory that ls reads
}

TEST_F(PosixProcessRunnerTest, CommandLeadsSessionWithoutTerminal) {
  Run("set -- $(cat /proc/$$/stat); [ $1 = $5 ] && [ $1 = $6 ] && echo leads; echo $7");
  EXPECT_EQ(Output(), "leads\n0\n");
}

TEST_F(PosixProcessRunnerTest, LauncherHasItsOwnSession) {
  Start();
  EXPECT_TRUE(Eventually([&] { return getsid(runner_->launcher_pid()) != getsid(0); }));
}

TEST_F(PosixProcessRunnerTest, CommandHasDefaultSignalState) {
  struct sigaction ignore{};
  ignore.sa_handler = SIG_IGN;
  struct sigaction old_pipe{};
  struct sigaction old_user{};
  sigset_t all;
  sigset_t old_mask;
  sigfillset(&all);
  sigaction(SIGPIPE, &ignore, &old_pipe);
  sigaction(SIGUSR2, &ignore, &old_user);
  pthread_sigmask(SIG_SETMASK, &all, &old_mask);
  Start();
  Run("grep -E '^Sig(Blk|Ign|Pnd):' /proc/self/status | tr -d '\\t'");
  pthread_sigmask(SIG_SETMASK, &old_mask, nullptr);
  sigaction(SIGPIPE, &old_pipe, nullptr);
  sigaction(SIGUSR2, &old_user, nullptr);
  EXPECT_EQ(Output(),
            "SigPnd:0000000000000000\nSigBlk:0000000000000000\nSigIgn:0000000000000000\n");
}

TEST_F(PosixProcessRunnerTest, CommandHasOwnEnvironmentAndDirectory) {
  Start();
  Command command = Shell("");
  command.argv = {"/usr/bin/env"};
  command.environment = {"A=1", "EMPTY=", "LINES=a\nb"};
  ASSERT_TRUE(runner_->Run(command, Activity(cancel_)).ok());
  EXPECT_EQ(Output(), "A=1\nEMPTY=\nLINES=a\nb\n");
  Run("pwd -P");
  EXPECT_NE(Output().find(directory_.path()), std::string::npos);
}

TEST_F(PosixProcessRunnerTest, LargeArgumentsAndEnvironmentsPass) {
  Start();
  Command command = Shell("echo ${#1}; env | wc -c");
  command.argv.push_back("sh");
  command.argv.push_back(std::string((128 << 10) - 1, 'x'));  // the kernel's limit for one text
  for (int i = 0; i < 10; ++i) {
    command.environment.push_back(absl::StrCat("V", i, "=", std::string(100'000, 'y')));
  }
  const absl::StatusOr<CommandExit> exit = runner_->Run(command, Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(Output().find("131071\n100"), 0u) << Output();
}

TEST_F(PosixProcessRunnerTest, OverlongArgumentIsCommandError) {
  Start();
  Command command = Shell("true");
  command.argv.push_back(std::string(128 << 10, 'x'));
  const absl::Status status = runner_->Run(command, Activity(cancel_)).status();
  EXPECT_EQ(status.message().find("exec /bin/sh: "), 0u) << status;
  EXPECT_FALSE(IsMachineFault(status));
}

TEST_F(PosixProcessRunnerTest, ClosedOutputDoesNotEndWait) {
  const CommandExit exit = Run("exec >&- 2>&-; sleep 0.02; exit 9");
  EXPECT_EQ(WEXITSTATUS(exit.wait_status), 9);
  EXPECT_GE(exit.end - exit.start, absl::Milliseconds(15));
}

TEST_F(PosixProcessRunnerTest, CpuTimeIncludesAllDescendants) {
  const std::string burn = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
  const CommandExit own = Run(burn);
  EXPECT_GT(own.usage.user_cpu + own.usage.system_cpu, absl::Milliseconds(10));
  // A daemon that ends while the command still runs.
  const CommandExit other = Run(absl::StrCat("(setsid sh -c '", burn,
                                             "; : >done' &); while [ ! -e done ]; do sleep 0.01; "
                                             "done"));
  EXPECT_GT(other.usage.user_cpu + other.usage.system_cpu, absl::Milliseconds(10));
}

TEST_F(PosixProcessRunnerTest, PeakMemoryExcludesWorkerMemory) {
  if (kSanitized) GTEST_SKIP() << "under a sanitizer every process is large";
  Start();
  const std::string ballast(200 << 20, 'x');  // the memory of a busy worker
  Command command = Shell("");
  command.argv = {"/bin/true"};
  const absl::StatusOr<CommandExit> exit = runner_->Run(command, Activity(cancel_));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_GT(exit->usage.max_rss_kb, 0);
  // Far below the ballast. The size of this test program without the ballast is the lower bound.
  // test_exit_status.py checks the lower bound of the released binary, 4 MB.
  EXPECT_LT(exit->usage.max_rss_kb, 64 * 1024);
  EXPECT_EQ(ballast[ballast.size() / 2], 'x');
}

TEST_F(PosixProcessRunnerTest, PeakMemoryIsOfLargestProcess) {
  if (kSanitized) GTEST_SKIP() << "under a sanitizer every process is large";
  constexpr double kExpectedKb = 200 * 1024;
  const CommandExit exit = Run("dd if=/dev/zero of=/dev/null bs=200M count=1 2>&1; true");
  EXPECT_NEAR(static_cast<double>(exit.usage.max_rss_kb), kExpectedKb, kExpectedKb * 0.05);
}

TEST_F(PosixProcessRunnerTest, ManyCommandsLeakNoDescriptor) {
  const auto descriptors_of = [](pid_t pid) {
    const std::filesystem::directory_iterator directory(absl::StrCat("/proc/", pid, "/fd"));
    return std::distance(begin(directory), end(directory));
  };
  Run("true");
  const auto launchers = descriptors_of(runner_->launcher_pid());
  const auto ours = descriptors_of(getpid());
  for (int i = 0; i < 20; ++i) Run("true");
  EXPECT_EQ(descriptors_of(runner_->launcher_pid()), launchers);
  EXPECT_EQ(descriptors_of(getpid()), ours);
}

}  // namespace
}  // namespace sparkles
