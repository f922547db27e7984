#include "process/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"
#include "process/oom_score.h"

namespace sparkles {
namespace {

constexpr int kFailedChild = 127;  // not visible outside: Spawn reaps the child itself

[[noreturn]] void ReportFailure(int pipe_end, StartFailure::FailedCall call) {
  const StartFailure failure{call, errno};
  // Less than PIPE_BUF bytes are written at once, and there is no other writer.
  (void)!write(pipe_end, &failure, sizeof failure);
  _exit(kFailedChild);
}

// With a limit of one byte the kernel writes no core file, and does not start the program in
// kernel.core_pattern. A limit of 0 would not stop that program (core(5)).
void LimitCoreDumps(bool wanted) {
  rlimit limit;
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = wanted ? limit.rlim_max : std::min<rlim_t>(limit.rlim_max, 1);
  setrlimit(RLIMIT_CORE, &limit);
}

// Runs in the child. Executes the command, or reports the failure through `pipe_end`.
[[noreturn]] void ExecCommand(const CommandImage& image, int output_fd, int pipe_end,
                              pid_t launcher) {
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // If the launcher died before prctl, the kernel does not send that signal.
  if (getppid() != launcher) _exit(kFailedChild);
  if (dup2(output_fd, STDOUT_FILENO) < 0 || dup2(output_fd, STDERR_FILENO) < 0) {
    ReportFailure(pipe_end, StartFailure::FailedCall::kFork);
  }
  RaiseOomScore();
  LimitCoreDumps(image.core_dumps);
  if (chdir(image.directory) != 0) ReportFailure(pipe_end, StartFailure::FailedCall::kChdir);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);  // NOLINT(concurrency-mt-unsafe): one thread
  execve(image.argv[0], image.argv.data(), image.environment.data());
  ReportFailure(pipe_end, StartFailure::FailedCall::kExec);
}

}  // namespace

pid_t Spawn(const CommandImage& image, int output_fd, StartFailure& failure) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    failure = {StartFailure::FailedCall::kFork, errno};
    return -1;
  }
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t launcher = getpid();
  const pid_t pid = fork();
  if (pid == 0) ExecCommand(image, output_fd, write_end.get(), launcher);
  if (pid < 0) {
    failure = {StartFailure::FailedCall::kFork, errno};
    return -1;
  }
  write_end.reset();
  const auto read_failure = [&] { return read(read_end.get(), &failure, sizeof failure); };
  if (RetryOnEintr(read_failure) != sizeof failure) return pid;
  (void)RetryOnEintr([pid] { return waitpid(pid, nullptr, 0); });
  return -1;
}

}  // namespace sparkles
