#include "process/launcher.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "process/io_bytes.h"
#include "process/launcher_protocol.h"
#include "process/launcher_setup.h"
#include "process/monotonic.h"
#include "process/process_tree.h"
#include "process/resource_usage.h"
#include "process/spawn.h"
#include "process/sweep.h"

namespace sparkles {
namespace {

// Time for leftovers to end by themselves. The `tee` of `exec > >(tee log)` still has lines to
// write after its shell has ended.
constexpr absl::Duration kLeftoverWait = absl::Milliseconds(200);
// Interval between two checks whether the group has ended. The kernel reports only the deaths of
// the launcher's own children, and other members of the group may live on.
constexpr int kGroupPollMilliseconds = 10;
// Interval at which the socket is read during a sweep.
constexpr absl::Duration kSweepRound = absl::Seconds(2);
// Longest sweep after a request to end the command. A stop of 20 s reserves 4 s for it
// (base/stop_time.h).
constexpr absl::Duration kCancelledSweepLimit = absl::Seconds(3);
// Longest sweep after the worker is gone. The launcher holds the claim's lock until it exits.
constexpr absl::Duration kFinalSweepLimit = absl::Minutes(1);
// Most children reaped before the socket is checked again. Keeps a fork bomb from blocking the
// socket.
constexpr int kMaxReapsPerRound = 100;

class Launcher {
 public:
  Launcher(UniqueFd socket, UniqueFd signals, std::string proc_root)
      : socket_(std::move(socket)),
        signals_(std::move(signals)),
        proc_root_(std::move(proc_root)) {}

  // Returns when the worker is gone.
  void Serve() {
    bool more_to_reap = false;
    while (true) {
      pollfd waited[2] = {{socket_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
      if (poll(waited, 2, more_to_reap ? 0 : SampleTimeout()) < 0 && errno != EINTR) return;
      if (waited[1].revents != 0) DrainSignals();
      const pid_t command = command_;
      more_to_reap = HandleDeadChildren();
      if (command_ != command) continue;  // FinishCommand may have read the waiting frame
      if (waited[0].revents != 0 && !HandleFrame()) return;
    }
  }

  void EndEverything() {
    if (command_ > 0) kill(-command_, SIGKILL);
    SweepChildren(proc_root_, kFinalSweepLimit);
  }

 private:
  // Samples the command's processes if a sample is due. Returns the time until the next sample, in
  // milliseconds, for poll.
  int SampleTimeout() {
    if (command_ <= 0) return -1;
    const absl::Duration wait = absl::Ceil(sampler_->SampleIfDue(), absl::Milliseconds(1));
    return static_cast<int>(absl::ToInt64Milliseconds(std::min(wait, absl::Hours(1))));
  }

  void DrainSignals() {
    signalfd_siginfo signal;
    while (read(signals_.get(), &signal, sizeof signal) > 0) {
    }
  }

  // False once the worker is gone.
  bool HandleFrame() {
    absl::StatusOr<Frame> frame = ReceiveFrame(socket_.get());
    if (!frame.ok()) return false;
    switch (frame->kind) {
      case FrameKind::kRun:
        StartCommand(*std::move(frame));
        return true;
      case FrameKind::kHold:
        held_.push_back(std::move(frame->fd));
        return true;
      case FrameKind::kTerminate:
        cancelled_ = true;
        abort_sweep_ = sweeping_;
        if (command_ <= 0) return true;
        kill(-command_, SIGTERM);
        kill(-command_, SIGCONT);  // a stopped process handles TERM only after it continues
        return true;
      case FrameKind::kKill:
        killed_ = true;
        abort_sweep_ = sweeping_;
        if (command_ > 0) kill(-command_, SIGKILL);
        return true;
      case FrameKind::kEnded:
      case FrameKind::kNotStarted:
        return false;
    }
    return false;
  }

  void StartCommand(Frame frame) {
    CommandImage image;
    StartFailure failure{StartFailure::FailedCall::kFork, EINVAL};
    exit_ = CommandExit();
    cancelled_ = false;
    killed_ = false;
    abort_sweep_ = false;
    io_before_ = ReadIoBytes(proc_root_);
    sampler_.emplace(proc_root_, getpid());
    exit_.start = WallNow();
    pid_t pid = -1;
    if (!frame.fd.valid()) {
      failure.error = EMFILE;
    } else if (DecodeCommand(frame.payload, image)) {
      sweep_limit_ = image.sweep_limit;
      pid = Spawn(image, frame.fd.get(), failure);
    }
    if (pid > 0) {
      command_ = pid;
    } else {
      Reply(FrameKind::kNotStarted, BytesOf(failure));
    }
  }

  // True if more children may be dead.
  bool HandleDeadChildren() {
    for (int i = 0; i < kMaxReapsPerRound; ++i) {
      siginfo_t dead{};
      const int flags = WEXITED | WNOHANG | WNOWAIT;
      if (waitid(P_ALL, 0, &dead, flags) != 0 || dead.si_pid == 0) return false;
      if (dead.si_pid == command_) {
        FinishCommand();
      } else {
        Reap(dead.si_pid);  // an adopted descendant of the command
      }
    }
    return true;
  }

  // The command is dead but not yet reaped. Until it is reaped, the kernel does not reuse its id,
  // which is also the id of its group, so the group can be killed safely.
  void FinishCommand() {
    exit_.end = WallNow();
    // True if the command got TERM. The worker, which knows the reason, sets the final values. A
    // limit can also pass after the command has ended, while its leftovers end.
    exit_.timed_out = cancelled_;
    if (cancelled_) {
      AwaitGroup();
    } else {
      AwaitLeftovers();
    }
    if (HasLiveChild()) kill(-command_, SIGKILL);
    exit_.wait_status = Reap(command_);
    command_ = 0;
    SweepLeftovers();
    exit_.survivors = HasLiveChild();
    // When a process is reaped, the kernel adds its counts to those of its parent.
    const IoBytes io = ReadIoBytes(proc_root_);
    exit_.usage.read_bytes = io.read - io_before_.read;
    exit_.usage.write_bytes = io.written - io_before_.written;
    exit_.usage.peak_processes = std::max<int64_t>(sampler_->peak().processes, 1);
    exit_.usage.peak_rss_kb = std::max(sampler_->peak().rss_kb, exit_.usage.max_rss_kb);
    Reply(FrameKind::kEnded, BytesOf(exit_));
  }

  // Sweeps until no child lives, the time limit has passed, or the worker asks for the end.
  void SweepLeftovers() {
    sweeping_ = true;
    const absl::Duration longest = cancelled_ ? kCancelledSweepLimit : absl::InfiniteDuration();
    const absl::Duration deadline = MonotonicNow() + std::min(sweep_limit_, longest);
    do {
      const ReapedProcesses reaped =
          SweepChildren(proc_root_, std::min(kSweepRound, deadline - MonotonicNow()));
      Add(reaped.usage, exit_.usage);
      exit_.leftovers += reaped.killed;
      pollfd waited{socket_.get(), POLLIN, 0};
      if (poll(&waited, 1, 0) > 0 && !HandleFrame()) break;
    } while (!abort_sweep_ && HasLiveChild() && MonotonicNow() < deadline);
    sweeping_ = false;
  }

  void AwaitLeftovers() {
    const absl::Duration deadline = MonotonicNow() + kLeftoverWait;
    while (HasLiveChild() && MonotonicNow() < deadline) (void)poll(nullptr, 0, 1);
  }

  // Waits for the other members of the command's group, until the worker sends KILL. A shell dies
  // of TERM at once, but the programs that it started may need the grace to save their work.
  void AwaitGroup() {
    while (!killed_ && HasLiveChildIn(command_)) {
      pollfd waited{socket_.get(), POLLIN, 0};
      (void)poll(&waited, 1, std::min(SampleTimeout(), kGroupPollMilliseconds));
      if (waited.revents != 0 && !HandleFrame()) return;
    }
  }

  int Reap(pid_t pid) {
    int status = 0;
    rusage usage{};
    if (wait4(pid, &status, 0, &usage) == pid) Add(ResourceUsageOf(usage), exit_.usage);
    return status;
  }

  // Ignores errors: if the worker is gone, the next read of the socket says so.
  void Reply(FrameKind kind, absl::string_view payload) {
    (void)SendFrame(socket_.get(), kind, payload);
  }

  const UniqueFd socket_;
  const UniqueFd signals_;
  const std::string proc_root_;
  std::vector<UniqueFd> held_;
  pid_t command_ = 0;         // 0: none
  bool cancelled_ = false;    // the command got TERM
  bool killed_ = false;       // the command got KILL
  bool sweeping_ = false;     // the command has ended, and its leftovers are being ended
  bool abort_sweep_ = false;  // the worker asked for the end during the sweep
  absl::Duration sweep_limit_;
  CommandExit exit_;
  IoBytes io_before_;
  std::optional<TreeSampler> sampler_;
};

}  // namespace

void RunLauncher(UniqueFd socket, const std::string& proc_root) {
  LauncherDescriptors descriptors = SetUpLauncher(std::move(socket), proc_root);
  Launcher launcher(std::move(descriptors.socket), std::move(descriptors.signals), proc_root);
  launcher.Serve();
  launcher.EndEverything();
  // exit would run the worker's destructors and flush the worker's buffers a second time.
  _exit(0);
}

}  // namespace sparkles
