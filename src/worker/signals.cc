#include "worker/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/fd.h"
#include "base/thread.h"
#include "process/thread_stacks.h"
#include "worker/exit_timer.h"

namespace sparkles {
namespace {

struct StopSignal {
  int number;
  const char* name;
};
constexpr StopSignal kStops[] = {
    {SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGUSR2, "SIGUSR2"}, {SIGXCPU, "SIGXCPU"}};
constexpr int kDrains[] = {SIGUSR1, SIGQUIT};
// Real-time signals are ignored, too.
constexpr int kIgnored[] = {SIGHUP, SIGALRM, SIGVTALRM, SIGPROF, SIGPWR, SIGIO, SIGSTKFLT};

sigset_t ReceivedSet() {
  sigset_t set;
  sigemptyset(&set);
  for (const StopSignal& stop : kStops) sigaddset(&set, stop.number);
  for (const int signal : kDrains) sigaddset(&set, signal);
  for (const int signal : kIgnored) sigaddset(&set, signal);
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) {
    if (signal != ThreadStackSignal()) sigaddset(&set, signal);
  }
  return set;
}

// Uses the system call, because the C library refuses to change its own signals. If the library
// needs such a signal later, it sets its own handler.
void IgnoreLibrarySignals() {
  constexpr int kFirstRealTime = 32;
  constexpr size_t kKernelSetBytes = 8;
  const std::array<uintptr_t, 8> ignore = {1};  // the kernel's sigaction: SIG_IGN and zeros
  for (int signal = kFirstRealTime; signal < SIGRTMIN; ++signal) {
    syscall(SYS_rt_sigaction, signal, ignore.data(), nullptr, kKernelSetBytes);
  }
}

}  // namespace

void IgnoreWriteSignals() {
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  for (const int signal : {SIGPIPE, SIGXFSZ}) sigaction(signal, &ignore, nullptr);
}

void BlockSignals() {
  const sigset_t set = ReceivedSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  IgnoreLibrarySignals();
}

StopSignals::StopSignals(CancelToken& stop, CancelToken& drain, LogSink& sink)
    : stop_(stop),
      drain_(drain),
      sink_(sink),
      thread_(StartHousekeeping("signals", [this] { Receive(); })) {}

StopSignals::~StopSignals() {
  done_.Cancel(CancelKind::kAbort, "");
  thread_.join();
}

void StopSignals::Receive() {
  const sigset_t set = ReceivedSet();
  const UniqueFd signals(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  while (!done_.cancelled()) {
    pollfd waited[] = {{signals.get(), POLLIN, 0}, {done_.fd(), POLLIN, 0}};
    (void)poll(waited, 2, signals.valid() && done_.fd() >= 0 ? -1 : 100);
    signalfd_siginfo info;
    if (read(signals.get(), &info, sizeof info) != sizeof info) continue;
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGALRM) ExitIfTimerSignal(info.ssi_code);
    const auto stop = std::find_if(std::begin(kStops), std::end(kStops),
                                   [&](const StopSignal& each) { return each.number == signal; });
    if (stop != std::end(kStops)) {
      HandleStop(signal, stop->name);
    } else if (std::find(std::begin(kDrains), std::end(kDrains), signal) != std::end(kDrains)) {
      drain_.Cancel(CancelKind::kAbort, "the worker stops after this task");
    } else {
      Ignore(signal);
    }
  }
}

void StopSignals::Ignore(int signal) {
  if (!ignored_.insert(signal).second) return;
  // WriteUrgently takes no lock, so that a hung log does not block this thread.
  sink_.WriteUrgently(
      Severity::kWarning,
      absl::StrCat("signal ", signal, " (",
                   strsignal(signal),  // NOLINT(concurrency-mt-unsafe): only called here
                   ") is ignored (logged once); send SIGTERM to stop the worker"));
}

void StopSignals::HandleStop(int signal, const char* name) {
  // The kernel sends SIGXCPU each second to a process that has used up its CPU time.
  if (signal == SIGXCPU && requests_ > 0) return;
  const absl::Time now = absl::Now();
  if (requests_ > 0 && absl::AbsDuration(now - last_request_) < kSameRequest) return;
  ++requests_;
  last_request_ = now;
  if (requests_ == 1) {
    if (!stop_.cancelled()) received_ = signal;
    stop_.Cancel(CancelKind::kHandBack, absl::StrCat("the worker was stopped by ", name));
  } else if (requests_ == 2) {
    stop_.Hurry();
  } else {
    sink_.EndBlock();
    // Unlike exit, _exit cannot hang in a destructor. The next worker hands the claim back.
    _exit(128 + signal);
  }
}

}  // namespace sparkles
