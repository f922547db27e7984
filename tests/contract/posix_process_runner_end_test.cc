// Tests how the runner ends commands and their processes, and that no process is left.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "process/monotonic.h"
#include "process/posix_process_runner.h"
#include "tests/contract/posix_process_runner_fixture.h"
#include "tests/support/eventually.h"

namespace sparkles {
namespace {

// Returns a script that starts a daemon (own session, no parent), whose id is in the file `name`.
std::string Daemon(const std::string& name) {
  return absl::StrCat("(setsid sh -c 'echo $$ >", name, ".new; mv ", name, ".new ", name,
                      "; exec sleep 1000' &); while [ ! -e ", name, " ]; do sleep 0.01; done; ");
}

// Returns a script whose shell dies of TERM at once, while its program saves state for 0.4 s.
std::string SavingProgram() {
  return "sh -c 'trap \"echo saving; sleep 0.4; echo saved; exit\" TERM; echo $$ >pid; "
         "while :; do sleep 0.01; done'; echo not reached";
}

// Returns a script whose shell dies of TERM at once, while its program ignores TERM.
std::string StubbornProgram() {
  return "sh -c 'trap \"\" TERM; echo $$ >pid; while :; do sleep 0.1; done'; echo not reached";
}

class PosixProcessRunnerEnd : public PosixProcessRunnerTest {
 protected:
  // Runs `script` and cancels it once it has written its id to the file `pid`.
  absl::StatusOr<CommandExit> RunAndCancel(const std::string& script, absl::Duration grace) {
    if (runner_ == nullptr) Start();
    Command command = Shell(script);
    command.grace = grace;
    std::thread canceller([this] {
      EXPECT_GT(PidIn("pid"), 0);
      cancel_.Cancel(CancelKind::kHandBack, "test");
    });
    absl::StatusOr<CommandExit> exit = runner_->Run(command, Activity(cancel_));
    canceller.join();
    return exit;
  }

  // Like RunAndCancel, with an hour of grace and an immediate hurry.
  absl::StatusOr<CommandExit> RunAndHurry(const std::string& script) {
    std::thread hurrier([this] {
      const CancelToken never;
      AwaitCancel(cancel_, never);
      cancel_.Hurry();
    });
    absl::StatusOr<CommandExit> exit = RunAndCancel(script, absl::Hours(1));
    hurrier.join();
    return exit;
  }

  // Forks a process that starts a runner, lets the launcher hold the file `lock` and runs `script`.
  // The test must kill and reap the process. With `cancels`, it cancels as RunAndCancel does.
  pid_t ForkWorker(const std::string& script, bool cancels = false) {
    const pid_t worker = fork();
    if (worker != 0) return worker;
    absl::StatusOr<std::unique_ptr<PosixProcessRunner>> runner = PosixProcessRunner::Start();
    if (!runner.ok()) _exit(1);
    UniqueFd lock(open((directory_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (flock(lock.get(), LOCK_EX) != 0 || !(*runner)->KeepOpenInLauncher(lock.get()).ok())
      _exit(1);
    lock.reset();
    Command command = Shell(script);
    command.grace = absl::Hours(1);
    const Activity activity(cancel_, nullptr, [this, cancels](uint64_t) {
      const bool begun = access((directory_ / "pid").c_str(), F_OK) == 0;
      if (cancels && begun) cancel_.Cancel(CancelKind::kHandBack, "test");
    });
    (void)(*runner)->Run(command, activity);
    _exit(0);
  }
};

// D35
TEST_F(PosixProcessRunnerEnd, BackgroundChildIsKilled) {
  const absl::Duration start = MonotonicNow();
  const CommandExit exit = Run("sleep 1000 & echo $! >pid; exit 4");
  EXPECT_EQ(WEXITSTATUS(exit.wait_status), 4);
  EXPECT_LT(MonotonicNow() - start, absl::Seconds(5));
  EXPECT_EQ(exit.leftovers, 1);
  EXPECT_FALSE(Runs(PidIn("pid")));
}

TEST_F(PosixProcessRunnerEnd, DaemonInOwnSessionIsKilled) {
  const CommandExit exit = Run(Daemon("pid"));
  EXPECT_GE(exit.leftovers, 1);
  EXPECT_FALSE(Runs(PidIn("pid")));
}

TEST_F(PosixProcessRunnerEnd, StoppedDaemonIsKilled) {
  Run(Daemon("pid") + "kill -STOP $(cat pid)");
  EXPECT_FALSE(Runs(PidIn("pid")));
}

TEST_F(PosixProcessRunnerEnd, DeepDaemonDescendantsAreKilled) {
  Run("(setsid sh -c 'setsid sh -c \"setsid sleep 1000 & echo \\$! >pid; wait\" & wait' &); "
      "while [ ! -s pid ]; do sleep 0.01; done");
  EXPECT_FALSE(Runs(PidIn("pid")));
}

TEST_F(PosixProcessRunnerEnd, ShortLivedChildMayFinish) {
  CommandExit exit;
  for (int i = 0; i < 10 && (i == 0 || exit.leftovers > 0); ++i) {  // on a busy machine "at once"
    ASSERT_EQ(ftruncate(output_.get(), 0), 0);                      // may take too long
    exit =
        Run("rm -f pipe; mkfifo pipe; (cat pipe; sleep 0.05; echo last words) & "
            "exec 3>pipe; echo first >&3");
  }
  EXPECT_EQ(Output(), "first\nlast words\n");
  EXPECT_EQ(exit.leftovers, 0);
}

TEST_F(PosixProcessRunnerEnd, EndlessForkingDoesNotBlockRunner) {
  ASSERT_TRUE(
      WriteFileAtomically(directory_ / "hop", "[ -e stop ] || setsid sh ./hop & exit 0\n", false)
          .ok());
  const absl::Duration start = MonotonicNow();
  const CommandExit exit = Run("sh ./hop; exit 6");
  EXPECT_EQ(WEXITSTATUS(exit.wait_status), 6);
  EXPECT_LT(MonotonicNow() - start, absl::Seconds(8));
  ASSERT_TRUE(WriteFileAtomically(directory_ / "stop", "", false).ok());
}

TEST_F(PosixProcessRunnerEnd, DaemonsAreKilledWithoutProc) {
  Start(directory_ / "no-proc");
  const CommandExit exit = Run(Daemon("daemon") + "sleep 1000 & echo $! >pid; exit 8");
  EXPECT_EQ(WEXITSTATUS(exit.wait_status), 8);
  EXPECT_TRUE(Eventually([&] { return !Runs(PidIn("pid")); }));
  EXPECT_FALSE(exit.survivors);
  EXPECT_FALSE(Runs(PidIn("daemon")));
}

TEST_F(PosixProcessRunnerEnd, CancelledCommandMayCleanUp) {
  const absl::StatusOr<CommandExit> exit =
      RunAndCancel("trap 'echo tidy; exit 7' TERM; echo $$ >pid; while :; do sleep 0.01; done",
                   absl::Seconds(60));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(WEXITSTATUS(exit->wait_status), 7);
  EXPECT_NE(Output().find("tidy\n"), std::string::npos) << Output();
}

TEST_F(PosixProcessRunnerEnd, TermReachesWholeGroup) {
  const absl::StatusOr<CommandExit> exit =
      RunAndCancel("sleep 1000 & echo $! >pid; wait $!; wait $!", absl::Seconds(60));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGTERM);
  EXPECT_FALSE(Runs(PidIn("pid")));
}

TEST_F(PosixProcessRunnerEnd, CommandIsKilledAfterGrace) {
  const absl::Duration start = MonotonicNow();
  const absl::StatusOr<CommandExit> exit = RunAndCancel(
      "trap '' TERM; " + Daemon("daemon") + "echo $$ >pid; while :; do sleep 1000; done",
      absl::Milliseconds(50));
  ASSERT_TRUE(exit.ok()) << exit.status();
  ASSERT_TRUE(WIFSIGNALED(exit->wait_status));
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGKILL);
  EXPECT_GE(MonotonicNow() - start, absl::Milliseconds(50));
  EXPECT_FALSE(Runs(PidIn("daemon")));
}

TEST_F(PosixProcessRunnerEnd, HurryKillsCommandDuringGrace) {
  const absl::StatusOr<CommandExit> exit =
      RunAndHurry("trap '' TERM; echo $$ >pid; while :; do sleep 0.1; done");
  ASSERT_TRUE(exit.ok()) << exit.status();
  ASSERT_TRUE(WIFSIGNALED(exit->wait_status));
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGKILL);
}

TEST_F(PosixProcessRunnerEnd, ProgramGetsGraceAfterShellDies) {
  const absl::StatusOr<CommandExit> exit = RunAndCancel(SavingProgram(), absl::Hours(1));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGTERM);  // of the shell
  EXPECT_TRUE(Output().ends_with("saving\nsaved\n")) << Output();
  EXPECT_EQ(exit->leftovers, 0);
}

TEST_F(PosixProcessRunnerEnd, ProgramGetsGraceAfterTimeLimit) {
  Start();
  Command command = Shell(SavingProgram());
  command.grace = absl::Hours(1);
  absl::StatusOr<CommandExit> exit = CommandExit();
  // The limit grows until the program is ready when TERM arrives.
  for (int seconds = 1; exit.ok() && Output().find("saving") == std::string::npos && seconds < 60;
       seconds *= 3) {
    command.time_limit = absl::Seconds(seconds);
    exit = runner_->Run(command, Activity(cancel_));
  }
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_TRUE(exit->timed_out);
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGTERM);
  EXPECT_TRUE(Output().ends_with("saving\nsaved\n")) << Output();
}

TEST_F(PosixProcessRunnerEnd, ProgramIsKilledAfterGrace) {
  const absl::Duration start = MonotonicNow();
  const absl::StatusOr<CommandExit> exit = RunAndCancel(StubbornProgram(), absl::Seconds(1));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGTERM);
  EXPECT_GE(MonotonicNow() - start, absl::Seconds(1));
  EXPECT_GE(exit->leftovers, 1);
  EXPECT_FALSE(Runs(PidIn("pid")));
}

TEST_F(PosixProcessRunnerEnd, HurryKillsProgramDuringGrace) {
  const absl::StatusOr<CommandExit> exit = RunAndHurry(StubbornProgram());
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGTERM);
  EXPECT_FALSE(Runs(PidIn("pid")));
}

TEST_F(PosixProcessRunnerEnd, DaemonGetsNoGrace) {
  const absl::StatusOr<CommandExit> exit =
      RunAndCancel(Daemon("daemon") + "echo $$ >pid; sleep 1000", absl::Hours(1));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGTERM);
  EXPECT_FALSE(Runs(PidIn("daemon")));
}

TEST_F(PosixProcessRunnerEnd, StoppedCommandReceivesTerm) {
  const absl::StatusOr<CommandExit> exit =
      RunAndCancel("echo $$ >pid; kill -STOP $$; exit 1", absl::Seconds(60));
  ASSERT_TRUE(exit.ok()) << exit.status();
  ASSERT_TRUE(WIFSIGNALED(exit->wait_status));
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGTERM);
}

TEST_F(PosixProcessRunnerEnd, SelfStoppingCommandIsKilled) {
  const absl::StatusOr<CommandExit> exit = RunAndCancel(
      "trap '' TERM; echo $$ >pid; while :; do kill -STOP $$; done", absl::Milliseconds(20));
  ASSERT_TRUE(exit.ok()) << exit.status();
  ASSERT_TRUE(WIFSIGNALED(exit->wait_status));
  EXPECT_EQ(WTERMSIG(exit->wait_status), SIGKILL);
}

TEST_F(PosixProcessRunnerEnd, KilledLauncherFailsCommand) {
  Start();
  const pid_t launcher = runner_->launcher_pid();
  std::thread killer([&] {
    EXPECT_GT(PidIn("pid"), 0);
    kill(launcher, SIGKILL);
  });
  const absl::StatusOr<CommandExit> exit =
      runner_->Run(Shell(Daemon("daemon") + "echo $$ >pid; sleep 1000"), Activity(cancel_));
  killer.join();
  EXPECT_TRUE(absl::IsFailedPrecondition(exit.status())) << exit.status();
  EXPECT_FALSE(IsMachineFault(exit.status()));  // the same task would do it again
  EXPECT_FALSE(Runs(PidIn("pid")));
  EXPECT_FALSE(Runs(PidIn("daemon")));
  EXPECT_EQ(WEXITSTATUS(Run("exit 5").wait_status), 5);  // by another launcher
}

TEST_F(PosixProcessRunnerEnd, DeadIdleLauncherIsReplaced) {
  const UniqueFd held(open((directory_ / "held").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  Start();
  ASSERT_TRUE(runner_->KeepOpenInLauncher(held.get()).ok());
  const pid_t old = runner_->launcher_pid();
  kill(old, SIGKILL);
  // Waits for all threads: a sanitizer's thread may keep the descriptors open for longer.
  ASSERT_TRUE(Eventually([old] {
    siginfo_t dead{};
    return waitid(P_PID, static_cast<id_t>(old), &dead, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           dead.si_pid == old;
  }));
  EXPECT_EQ(WEXITSTATUS(Run("exit 5").wait_status), 5);
  EXPECT_NE(runner_->launcher_pid(), old);
  Run(absl::StrCat("ls -l /proc/", runner_->launcher_pid(), "/fd"));
  EXPECT_NE(Output().find(directory_ / "held"), std::string::npos) << Output();
}

TEST_F(PosixProcessRunnerEnd, LockOutlivesProcessesOfKilledWorker) {
  const pid_t worker = ForkWorker(Daemon("daemon") + "sleep 1000 & echo $$ >pid; wait");
  const pid_t command = PidIn("pid");
  const pid_t daemon = PidIn("daemon");
  EXPECT_TRUE(Runs(command));
  EXPECT_TRUE(Runs(daemon));
  const UniqueFd lock(open((directory_ / "lock").c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_NE(flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  kill(worker, SIGKILL);
  EXPECT_EQ(waitpid(worker, nullptr, 0), worker);
  EXPECT_TRUE(Eventually([&] { return flock(lock.get(), LOCK_EX | LOCK_NB) == 0; }));
  EXPECT_FALSE(Runs(command));
  EXPECT_FALSE(Runs(daemon));
}

TEST_F(PosixProcessRunnerEnd, KilledWorkerEndsGrace) {
  const pid_t worker = ForkWorker("echo $$ >shell; " + StubbornProgram(), /*cancels=*/true);
  const pid_t program = PidIn("pid");
  const pid_t shell = PidIn("shell");
  EXPECT_TRUE(Eventually([shell] { return !Runs(shell); }));
  EXPECT_TRUE(Runs(program));
  kill(worker, SIGKILL);
  EXPECT_EQ(waitpid(worker, nullptr, 0), worker);
  EXPECT_TRUE(Eventually([program] { return !Runs(program); }));
}

TEST_F(PosixProcessRunnerEnd, CommandDiesWithLauncher) {
  const pid_t worker = ForkWorker("echo $PPID >launcher; echo $$ >pid; while :; do sleep 1; done");
  const pid_t command = PidIn("pid");
  EXPECT_TRUE(Runs(command));
  kill(worker, SIGSTOP);
  kill(PidIn("launcher"), SIGKILL);
  EXPECT_TRUE(Eventually([command] { return !Runs(command); }));
  kill(worker, SIGKILL);
  EXPECT_EQ(waitpid(worker, nullptr, 0), worker);
}

TEST_F(PosixProcessRunnerEnd, LauncherEndsWithRunner) {
  Start();
  const pid_t launcher = runner_->launcher_pid();
  EXPECT_TRUE(Runs(launcher));
  runner_.reset();
  EXPECT_FALSE(Runs(launcher));
}

// D36: a worker that is PID 1 inherits orphans that it did not start.
TEST_F(PosixProcessRunnerEnd, UnrelatedZombiesAreReaped) {
  Start();
  const pid_t stranger = fork();
  if (stranger == 0) _exit(0);
  ASSERT_TRUE(Eventually([stranger] {
    siginfo_t dead{};
    const int flags = WEXITED | WNOHANG | WNOWAIT;
    return waitid(P_PID, static_cast<id_t>(stranger), &dead, flags) == 0 && dead.si_pid != 0;
  }));
  Run("true");
  EXPECT_EQ(waitpid(stranger, nullptr, WNOHANG), -1);
}

}  // namespace
}  // namespace sparkles
