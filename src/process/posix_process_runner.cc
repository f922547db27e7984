#include "process/posix_process_runner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "process/launcher.h"
#include "process/monotonic.h"
#include "process/oom_score.h"
#include "process/relaunch.h"
#include "process/sweep.h"

namespace sparkles {
namespace {

constexpr absl::Duration kSweepLimit = absl::Seconds(3);
// Wait before each claim for processes that the sweep has not ended.
constexpr absl::Duration kSweepAgainLimit = absl::Seconds(1);
// From KILL to the launcher's answer. The launcher itself sweeps for up to 3 seconds, and the
// kernel takes seconds to take down a process with tens of GiB. A process in an uninterruptible
// wait, on a dead disk or NFS server, can take for ever.
constexpr absl::Duration kKillPatience = absl::Seconds(15);
// Longest wait in one poll: without a descriptor for the cancel token it has to be looked at.
constexpr absl::Duration kLookAgain = absl::Milliseconds(100);

// Rounded up, so that a deadline is past when poll returns.
int PollTimeout(absl::Duration wait, absl::Duration longest) {
  const absl::Duration bounded = std::clamp(wait, absl::ZeroDuration(), longest);
  return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(bounded, absl::Milliseconds(1))));
}

absl::Status StartError(const Command& command, const StartFailure& failure) {
  switch (failure.call) {
    case StartFailure::FailedCall::kFork:
      break;
    case StartFailure::FailedCall::kChdir: {
      absl::Status status = ErrnoError(failure.error, absl::StrCat("chdir ", command.folder));
      if (IsMachineFault(status)) return status;
      return absl::FailedPreconditionError(status.message());
    }
    case StartFailure::FailedCall::kExec:
      return ErrnoError(failure.error, absl::StrCat("exec ", command.argv[0]));
  }
  return MachineFault(ErrnoError(failure.error, "start of a process"));
}

absl::StatusOr<CommandExit> ReadReply(const Command& command, const Frame& reply) {
  CommandExit exit;
  if (reply.kind == FrameKind::kEnded && CopyBytes(reply.payload, exit)) return exit;
  StartFailure failure;
  if (reply.kind == FrameKind::kNotStarted && CopyBytes(reply.payload, failure)) {
    return StartError(command, failure);
  }
  return MachineFault(absl::InternalError("launcher: malformed reply"));
}

// Where we are on the way from a request to the end.
enum class Pressure { kNone, kTerminated, kKilled };

// Asks for the command's end as `cancel` and the time limit want, until the launcher has something
// to say. `timed_out`: it was the limit.
absl::Status AwaitReply(int socket, pid_t launcher, const Command& command,
                        const CancelToken& cancel, bool& timed_out) {
  Pressure pressure = Pressure::kNone;
  absl::Duration deadline = MonotonicNow() + command.time_limit;
  absl::Duration killed;
  while (true) {
    if (command.while_waiting) command.while_waiting();
    const int cancel_fd = pressure == Pressure::kNone ? cancel.fd() : -1;
    // That there is no time left for the grace has no descriptor.
    const bool must_look = pressure != Pressure::kNone || cancel.fd() < 0;
    pollfd waited[2] = {{socket, POLLIN, 0}, {cancel_fd, POLLIN, 0}};
    const int timeout =
        PollTimeout(deadline - MonotonicNow(), must_look ? kLookAgain : command.waiting_interval);
    if (poll(waited, 2, timeout) < 0 && errno != EINTR) return ErrnoError(errno, "poll");
    if (waited[0].revents != 0) return absl::OkStatus();
    kill(launcher, SIGCONT);  // the command can have stopped it
    const bool late = MonotonicNow() >= deadline;
    if (pressure == Pressure::kNone && (late || cancel.cancelled())) {
      timed_out = !cancel.cancelled();
      RETURN_IF_ERROR(SendFrame(socket, FrameKind::kTerminate, ""));
      pressure = Pressure::kTerminated;
      deadline = MonotonicNow() + command.grace;
    } else if (pressure == Pressure::kTerminated && (late || cancel.hurried())) {
      RETURN_IF_ERROR(SendFrame(socket, FrameKind::kKill, ""));
      pressure = Pressure::kKilled;
      killed = MonotonicNow();
      deadline = killed + kKillPatience;
    } else if (pressure == Pressure::kKilled &&
               (late ||
                (cancel.hurried() && MonotonicNow() >= killed + command.stop_time.kill_limit()))) {
      return absl::DeadlineExceededError("the command does not die of SIGKILL");
    }
  }
}

// Zombies that were nobody's to wait for. Stops at the launcher's, which others look after.
void ReapStrangers(pid_t launcher) {
  while (true) {
    siginfo_t dead{};
    if (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) != 0) return;
    if (dead.si_pid == 0 || dead.si_pid == launcher) return;
    waitpid(dead.si_pid, nullptr, 0);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<PosixProcessRunner>> PosixProcessRunner::Start(std::string proc_root,
                                                                              bool relaunch) {
  // Inherited as ignored, SIGCHLD would let the kernel reap behind our back, and a process id that
  // we believe to be a child's could be a stranger's.
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, nullptr);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  ProtectFromOom();
  std::unique_ptr<PosixProcessRunner> runner(
      new PosixProcessRunner(std::move(proc_root), relaunch));
  RETURN_IF_ERROR(runner->StartLauncher(/*fresh=*/false));
  return runner;
}

PosixProcessRunner::~PosixProcessRunner() {
  socket_.reset();
  if (launcher_ == 0) return;
  (void)Uninterrupted([this] { return waitpid(launcher_, nullptr, 0); });
}

absl::StatusOr<CommandExit> PosixProcessRunner::Run(const Command& command,
                                                    const CancelToken& cancel) {
  RETURN_IF_ERROR(CheckCommand(command));
  ReapStrangers(launcher_);
  RETURN_IF_ERROR(EnsureLauncher());
  bool timed_out = false;
  const absl::StatusOr<Frame> reply = Converse(command, cancel, timed_out);
  if (reply.ok()) {
    absl::StatusOr<CommandExit> exit = ReadReply(command, *reply);
    if (exit.ok() && exit->survivors) {
      DropLauncher(cancel.cancelled() ? command.stop_time.sweep_limit() : kSweepLimit);
      exit->survivors = survivors_;
    }
    // The limit can pass when the command has ended already, while what it left behind ends.
    if (exit.ok()) exit->timed_out = exit->timed_out && timed_out;
    return exit;
  }
  DropLauncher(cancel.hurried() ? command.stop_time.sweep_limit() : kSweepLimit);
  if (absl::IsFailedPrecondition(reply.status())) return reply.status();
  return MachineFault(Annotate(reply.status(), "launcher"));
}

absl::Status PosixProcessRunner::HoldInLauncher(int fd) {
  UniqueFd duplicate(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!duplicate.valid()) return ErrnoError(errno, "duplicate a descriptor for the launcher");
  RETURN_IF_ERROR(EnsureLauncher());
  RETURN_IF_ERROR(SendFrame(socket_.get(), FrameKind::kHold, "", duplicate.get()));
  held_.push_back(std::move(duplicate));  // for the next launcher
  return absl::OkStatus();
}

absl::Status PosixProcessRunner::StartLauncher(bool fresh) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return MachineFault(ErrnoError(errno, "launcher: socketpair"));
  }
  socket_.reset(ends[0]);
  UniqueFd launcher_end(ends[1]);
  const pid_t pid = fork();
  if (pid < 0) {
    const absl::Status status = ErrnoError(errno, "launcher: fork");
    socket_.reset();
    return MachineFault(status);
  }
  if (pid == 0) {
    if (fresh) Relaunch(launcher_end.get(), proc_root_);
    RunLauncher(std::move(launcher_end), proc_root_);
  }
  launcher_ = pid;
  for (const UniqueFd& fd : held_) {
    RETURN_IF_ERROR(SendFrame(socket_.get(), FrameKind::kHold, "", fd.get()));
  }
  return absl::OkStatus();
}

absl::Status PosixProcessRunner::EnsureLauncher() {
  // An idle launcher says nothing: what can be read is the end of the stream.
  pollfd idle{socket_.get(), POLLIN, 0};
  if (socket_.valid() && poll(&idle, 1, 0) > 0) DropLauncher(kSweepLimit);
  if (socket_.valid()) return absl::OkStatus();
  if (const absl::Status none = EndSurvivors(); !none.ok()) return MachineFault(none);
  return StartLauncher(relaunch_);
}

void PosixProcessRunner::DropLauncher(absl::Duration sweep_limit) {
  socket_.reset();
  if (launcher_ > 0) kill(launcher_, SIGKILL);
  launcher_ = 0;
  SweepChildren(proc_root_, sweep_limit);
  survivors_ = AnyChildLives();
}

absl::Status PosixProcessRunner::EndSurvivors() {
  if (!survivors_) return absl::OkStatus();
  SweepChildren(proc_root_, kSweepAgainLimit);
  survivors_ = AnyChildLives();
  if (!survivors_) return absl::OkStatus();
  return absl::UnavailableError("processes of an earlier task still run after SIGKILL");
}

absl::StatusOr<Frame> PosixProcessRunner::Converse(const Command& command,
                                                   const CancelToken& cancel, bool& timed_out) {
  RETURN_IF_ERROR(
      SendFrame(socket_.get(), FrameKind::kRun, EncodeCommand(command), command.output_fd));
  RETURN_IF_ERROR(AwaitReply(socket_.get(), launcher_, command, cancel, timed_out));
  absl::StatusOr<Frame> reply = ReceiveFrame(socket_.get());
  if (reply.ok()) return reply;
  // It is small, and nobody else has reason to end it; a machine fault would try the task for ever.
  return absl::FailedPreconditionError(
      "the process that looks after the command was killed: by the command itself, or by somebody "
      "on this machine");
}

}  // namespace sparkles
