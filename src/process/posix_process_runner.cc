#include "process/posix_process_runner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "process/launcher_process.h"
#include "process/monotonic.h"
#include "process/oom_score.h"
#include "process/progress_watch.h"
#include "process/sweep.h"

namespace sparkles {
namespace {

constexpr absl::Duration kSweepLimit = absl::Seconds(3);
// Time before each claim to end the survivors of earlier commands.
constexpr absl::Duration kSurvivorSweepLimit = absl::Seconds(1);
// Longest time from KILL to the launcher's answer. The launcher itself sweeps for up to 3 seconds,
// and the kernel takes seconds to free tens of GiB. A process in an uninterruptible wait, for
// example on a dead disk or NFS server, may never end.
constexpr absl::Duration kMaxKillWait = absl::Seconds(15);
// Interval between two checks of the cancel token if it has no descriptor to wait for.
constexpr absl::Duration kCancelPollInterval = absl::Milliseconds(100);

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
      absl::Status status = ErrnoError(failure.error, absl::StrCat("chdir ", command.directory));
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

// The last signal that the launcher was asked to send.
enum class SentSignal { kNone, kTerm, kKill };

// The limit that a running command has reached, if any.
CommandLimit ReachedLimit(bool late, ProgressWatch& progress) {
  if (late) return CommandLimit::kTime;
  if (!progress.SeesNoProgress()) return CommandLimit::kNone;
  progress.ReportWaits();
  return CommandLimit::kProgress;
}

// Waits for a frame from the launcher. Meanwhile asks the launcher to end the command when
// `activity` is cancelled, or when the command reaches a limit, which is stored in `reached`.
absl::Status AwaitReply(int socket, pid_t launcher, const Command& command,
                        const Activity& activity, ProgressWatch& progress, CommandLimit& reached) {
  const CancelToken& cancel = activity.cancel();
  SentSignal sent = SentSignal::kNone;
  absl::Duration deadline = MonotonicNow() + command.time_limit;
  absl::Duration killed;
  while (true) {
    (void)activity.ReportWork();  // a cancelled command ends below
    const int cancel_fd = sent == SentSignal::kNone ? cancel.fd() : -1;
    // cancel.hurried(), which ends the grace early, has no descriptor to wait for.
    const bool must_poll_cancel = sent != SentSignal::kNone || cancel.fd() < 0;
    pollfd waited[2] = {{socket, POLLIN, 0}, {cancel_fd, POLLIN, 0}};
    absl::Duration wait = deadline - MonotonicNow();
    if (sent == SentSignal::kNone) wait = std::min(wait, progress.UntilNextLook());
    const int timeout =
        PollTimeout(wait, must_poll_cancel ? kCancelPollInterval : command.heartbeat_interval);
    if (poll(waited, 2, timeout) < 0 && errno != EINTR) return ErrnoError(errno, "poll");
    if (waited[0].revents != 0) return absl::OkStatus();
    kill(launcher, SIGCONT);  // the command may have stopped the launcher
    const bool late = MonotonicNow() >= deadline;
    if (sent == SentSignal::kNone) {
      if (!cancel.cancelled()) reached = ReachedLimit(late, progress);
      if (reached == CommandLimit::kNone && !cancel.cancelled()) continue;
      RETURN_IF_ERROR(SendFrame(socket, FrameKind::kTerminate, ""));
      sent = SentSignal::kTerm;
      deadline = MonotonicNow() + command.grace;
    } else if (sent == SentSignal::kTerm && (late || cancel.hurried())) {
      RETURN_IF_ERROR(SendFrame(socket, FrameKind::kKill, ""));
      sent = SentSignal::kKill;
      killed = MonotonicNow();
      deadline = killed + kMaxKillWait;
    } else if (sent == SentSignal::kKill &&
               (late ||
                (cancel.hurried() && MonotonicNow() >= killed + command.stop_time.kill_limit()))) {
      return absl::DeadlineExceededError("the command still runs after SIGKILL");
    }
  }
}

// Reaps dead children other than the launcher: orphans that this process was given as a subreaper
// or as PID 1. Stops at the launcher, because KillLauncher or the destructor reaps it.
void ReapUnrelatedZombies(pid_t launcher) {
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
  // With an ignored SIGCHLD, inherited from the parent, the kernel would reap children by itself.
  // Then the id of a child could already belong to an unrelated process.
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, nullptr);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  LowerOomScore();
  std::unique_ptr<PosixProcessRunner> runner(
      new PosixProcessRunner(std::move(proc_root), relaunch));
  RETURN_IF_ERROR(runner->StartLauncher(/*as_new_program=*/false));
  return runner;
}

PosixProcessRunner::~PosixProcessRunner() {
  socket_.reset();
  if (launcher_ == 0) return;
  (void)RetryOnEintr([this] { return waitpid(launcher_, nullptr, 0); });
}

absl::StatusOr<CommandExit> PosixProcessRunner::Run(const Command& command,
                                                    const Activity& activity) {
  const CancelToken& cancel = activity.cancel();
  RETURN_IF_ERROR(CheckCommand(command));
  ReapUnrelatedZombies(launcher_);
  RETURN_IF_ERROR(EnsureLauncher());
  CommandLimit reached = CommandLimit::kNone;
  const absl::StatusOr<Frame> reply = RunInLauncher(command, activity, reached);
  if (reply.ok()) {
    absl::StatusOr<CommandExit> exit = ReadReply(command, *reply);
    if (exit.ok() && exit->survivors) {
      KillLauncher(cancel.cancelled() ? command.stop_time.sweep_limit() : kSweepLimit);
      exit->survivors = survivors_;
    }
    if (exit.ok() && exit->timed_out) {
      exit->timed_out = reached == CommandLimit::kTime;
      exit->no_progress = reached == CommandLimit::kProgress;
    }
    return exit;
  }
  KillLauncher(cancel.hurried() ? command.stop_time.sweep_limit() : kSweepLimit);
  if (absl::IsFailedPrecondition(reply.status())) return reply.status();
  return MachineFault(Annotate(reply.status(), "launcher"));
}

absl::Status PosixProcessRunner::KeepOpenInLauncher(int fd) {
  UniqueFd duplicate(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!duplicate.valid()) return ErrnoError(errno, "duplicate a descriptor for the launcher");
  RETURN_IF_ERROR(EnsureLauncher());
  RETURN_IF_ERROR(SendFrame(socket_.get(), FrameKind::kHold, "", duplicate.get()));
  held_.push_back(std::move(duplicate));  // for the next launcher
  return absl::OkStatus();
}

absl::Status PosixProcessRunner::StartSideProgram() {
  ASSIGN_OR_RETURN(side_program_, SideProgram::Start(proc_root_));
  return absl::OkStatus();
}

absl::Status PosixProcessRunner::StartLauncher(bool as_new_program) {
  ASSIGN_OR_RETURN(LauncherProcess launcher, ForkLauncher(proc_root_, as_new_program));
  socket_ = std::move(launcher.socket);
  launcher_ = launcher.pid;
  for (const UniqueFd& fd : held_) {
    RETURN_IF_ERROR(SendFrame(socket_.get(), FrameKind::kHold, "", fd.get()));
  }
  return absl::OkStatus();
}

absl::Status PosixProcessRunner::EnsureLauncher() {
  // An idle launcher sends nothing, so a readable socket means that the launcher has died.
  pollfd idle{socket_.get(), POLLIN, 0};
  if (socket_.valid() && poll(&idle, 1, 0) > 0) KillLauncher(kSweepLimit);
  if (socket_.valid()) return absl::OkStatus();
  if (const absl::Status none = EndSurvivors(); !none.ok()) return MachineFault(none);
  return StartLauncher(relaunch_);
}

void PosixProcessRunner::KillLauncher(absl::Duration sweep_limit) {
  socket_.reset();
  if (launcher_ > 0) kill(launcher_, SIGKILL);
  launcher_ = 0;
  SweepChildren(proc_root_, sweep_limit, spared());
  survivors_ = HasOtherLiveChild(proc_root_, spared());
}

absl::Status PosixProcessRunner::EndSurvivors() {
  if (!survivors_) return absl::OkStatus();
  SweepChildren(proc_root_, kSurvivorSweepLimit, spared());
  survivors_ = HasOtherLiveChild(proc_root_, spared());
  if (!survivors_) return absl::OkStatus();
  return absl::UnavailableError("processes of an earlier task still run after SIGKILL");
}

absl::StatusOr<Frame> PosixProcessRunner::RunInLauncher(const Command& command,
                                                        const Activity& activity,
                                                        CommandLimit& reached) {
  ProgressWatch progress(proc_root_, launcher_, command.output_fd, command.no_progress_timeout);
  RETURN_IF_ERROR(
      SendFrame(socket_.get(), FrameKind::kRun, EncodeCommand(command), command.output_fd));
  RETURN_IF_ERROR(AwaitReply(socket_.get(), launcher_, command, activity, progress, reached));
  absl::StatusOr<Frame> reply = ReceiveFrame(socket_.get());
  if (reply.ok()) return reply;
  // The launcher is small, so the kernel has no reason to kill it. Probably the command did. A
  // machine fault would repeat such a task on other machines.
  return absl::FailedPreconditionError(
      "the launcher, which runs the command, was killed by the command or by another process on "
      "this machine");
}

}  // namespace sparkles
