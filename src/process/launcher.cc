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

// What a command leaves behind may end by itself: the `tee` of `exec > >(tee log)` has lines to
// write when its shell has gone.
constexpr absl::Duration kLinger = absl::Milliseconds(200);
// How often a group that was asked to end is looked at: none of its members that is not our child
// tells us of its death.
constexpr int kLookAgainMilliseconds = 10;
// Interval at which the socket is read during a sweep.
constexpr absl::Duration kSweepRound = absl::Seconds(2);
// After a request to end the command: a stop of 20 s waits 4 s for it (base/stop_time.h).
constexpr absl::Duration kSweepLimitOfCancelled = absl::Seconds(3);
// After the worker is gone. The launcher holds the claim's lock as long as it lives.
constexpr absl::Duration kLastSweepLimit = absl::Minutes(1);
// Children reaped before the socket is looked at again, however fast they die.
constexpr int kReapedAtOnce = 100;

class Launcher {
 public:
  Launcher(UniqueFd socket, UniqueFd signals, std::string proc_root)
      : socket_(std::move(socket)),
        signals_(std::move(signals)),
        proc_root_(std::move(proc_root)) {}

  // Until the worker is gone.
  void Serve() {
    bool more_to_reap = false;
    while (true) {
      pollfd waited[2] = {{socket_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
      if (poll(waited, 2, more_to_reap ? 0 : SampleTimeout()) < 0 && errno != EINTR) return;
      if (waited[1].revents != 0) DrainSignals();
      const pid_t command = command_;
      more_to_reap = HandleDeadChildren();
      if (command_ != command) continue;  // its end may have taken the frame that waited
      if (waited[0].revents != 0 && !HandleFrame()) return;
    }
  }

  void EndEverything() {
    if (command_ > 0) kill(-command_, SIGKILL);
    SweepChildren(proc_root_, kLastSweepLimit);
  }

 private:
  // Takes a sample of the command's processes if it is time for one. How long poll may wait for the
  // next, in milliseconds.
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
        give_up_ = sweeping_;
        if (command_ <= 0) return true;
        kill(-command_, SIGTERM);
        kill(-command_, SIGCONT);  // a stopped process gets its TERM only when it goes on
        return true;
      case FrameKind::kKill:
        killed_ = true;
        give_up_ = sweeping_;
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
    give_up_ = false;
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

  // True if some may be left to reap.
  bool HandleDeadChildren() {
    for (int i = 0; i < kReapedAtOnce; ++i) {
      siginfo_t dead{};
      const int flags = WEXITED | WNOHANG | WNOWAIT;
      if (waitid(P_ALL, 0, &dead, flags) != 0 || dead.si_pid == 0) return false;
      if (dead.si_pid == command_) {
        FinishCommand();
      } else {
        Reap(dead.si_pid);  // a daemon of the command, adopted and ended
      }
    }
    return true;
  }

  // The command is dead but not reaped: as long as that is so, its id, which is its group's too,
  // belongs to nobody else and its group can be killed safely.
  void FinishCommand() {
    exit_.end = WallNow();
    exit_.timed_out = cancelled_;  // the worker knows whether it was for that
    if (cancelled_) {
      AwaitGroup();
    } else {
      Linger();
    }
    if (AnyChildLives()) kill(-command_, SIGKILL);
    exit_.wait_status = Reap(command_);
    command_ = 0;
    SweepPatiently();
    exit_.survivors = AnyChildLives();
    // The kernel adds what a process has read and written to whoever waits for it.
    const IoBytes io = ReadIoBytes(proc_root_);
    exit_.usage.read_bytes = io.read - io_before_.read;
    exit_.usage.write_bytes = io.written - io_before_.written;
    exit_.usage.peak_processes = std::max<int64_t>(sampler_->peak().processes, 1);
    exit_.usage.peak_rss_kb = std::max(sampler_->peak().rss_kb, exit_.usage.max_rss_kb);
    Reply(FrameKind::kEnded, BytesOf(exit_));
  }

  // Sweeps until no child lives, time is over, or the worker gives up.
  void SweepPatiently() {
    sweeping_ = true;
    const absl::Duration longest = cancelled_ ? kSweepLimitOfCancelled : absl::InfiniteDuration();
    const absl::Duration deadline = MonotonicNow() + std::min(sweep_limit_, longest);
    do {
      const Swept swept =
          SweepChildren(proc_root_, std::min(kSweepRound, deadline - MonotonicNow()));
      Add(swept.usage, exit_.usage);
      exit_.leftovers += swept.killed;
      pollfd waited{socket_.get(), POLLIN, 0};
      if (poll(&waited, 1, 0) > 0 && !HandleFrame()) break;
    } while (!give_up_ && AnyChildLives() && MonotonicNow() < deadline);
    sweeping_ = false;
  }

  void Linger() {
    const absl::Duration deadline = MonotonicNow() + kLinger;
    while (AnyChildLives() && MonotonicNow() < deadline) (void)poll(nullptr, 0, 1);
  }

  // A shell dies of TERM at once. The programs that it ran got the same TERM, and have until the
  // worker's KILL to save what they have done.
  void AwaitGroup() {
    while (!killed_ && AnyChildLivesIn(command_)) {
      pollfd waited{socket_.get(), POLLIN, 0};
      (void)poll(&waited, 1, std::min(SampleTimeout(), kLookAgainMilliseconds));
      if (waited.revents != 0 && !HandleFrame()) return;
    }
  }

  int Reap(pid_t pid) {
    int status = 0;
    rusage usage{};
    if (wait4(pid, &status, 0, &usage) == pid) Add(ResourceUsageOf(usage), exit_.usage);
    return status;
  }

  // A worker that is gone is noticed at the next look at the socket.
  void Reply(FrameKind kind, absl::string_view payload) {
    (void)SendFrame(socket_.get(), kind, payload);
  }

  const UniqueFd socket_;
  const UniqueFd signals_;
  const std::string proc_root_;
  std::vector<UniqueFd> held_;
  pid_t command_ = 0;       // 0: none
  bool cancelled_ = false;  // the command was asked to end
  bool killed_ = false;     // and made to
  bool sweeping_ = false;   // the command has ended, its leftovers have not
  bool give_up_ = false;    // the worker has asked for the end during the sweep
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
  // Not exit: what the worker's destructors and buffers would do is not ours to do.
  _exit(0);
}

}  // namespace sparkles
