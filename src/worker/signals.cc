#include "worker/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/fd.h"
#include "base/thread.h"

namespace sparkles {
namespace {

sigset_t StopSet() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGQUIT}) sigaddset(&set, signal);
  return set;
}

}  // namespace

void IgnoreWriteSignals() {
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  for (const int signal : {SIGPIPE, SIGXFSZ}) sigaction(signal, &ignore, nullptr);
}

void BlockSignals() {
  const sigset_t set = StopSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

StopSignals::StopSignals(CancelToken& stop, CancelToken& drain)
    : stop_(stop), drain_(drain), thread_(StartHousekeeping("signals", [this] { Receive(); })) {}

StopSignals::~StopSignals() {
  done_.Cancel(CancelKind::kAbort, "");
  thread_.join();
}

void StopSignals::Receive() {
  const sigset_t set = StopSet();
  const UniqueFd signals(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  while (!done_.cancelled()) {
    pollfd waited[] = {{signals.get(), POLLIN, 0}, {done_.fd(), POLLIN, 0}};
    (void)poll(waited, 2, signals.valid() && done_.fd() >= 0 ? -1 : 100);
    signalfd_siginfo info;
    if (read(signals.get(), &info, sizeof info) != sizeof info) continue;
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGTERM || signal == SIGINT) {
      HandleStop(signal);
    } else if (signal != SIGHUP) {
      drain_.Cancel(CancelKind::kAbort, "the worker is to stop after this task");
    }
  }
}

void StopSignals::HandleStop(int signal) {
  const absl::Time now = absl::Now();
  if (requests_ > 0 && absl::AbsDuration(now - last_request_) < kSameRequest) return;
  ++requests_;
  last_request_ = now;
  if (requests_ == 1) {
    if (!stop_.cancelled()) received_ = signal;
    stop_.Cancel(CancelKind::kHandBack, absl::StrCat("the worker was stopped by ",
                                                     signal == SIGINT ? "SIGINT" : "SIGTERM"));
  } else if (requests_ == 2) {
    stop_.Hurry();
  } else {
    // Not exit: what is under way must not get in the way. The next worker hands back what this
    // one holds.
    _exit(128 + signal);
  }
}

}  // namespace sparkles
