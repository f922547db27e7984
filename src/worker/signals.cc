#include "worker/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "base/fd.h"
#include "base/thread.h"

namespace sparkles {
namespace {

sigset_t StopSet() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
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

StopSignals::StopSignals(CancelToken& stop)
    : stop_(stop), thread_(StartHousekeeping("signals", [this] { Receive(); })) {}

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
    if (signal == SIGHUP) continue;
    if (received_ == 0) received_ = signal;
    stop_.Cancel(CancelKind::kHandBack, signal == SIGINT ? "the worker was stopped by SIGINT"
                                                         : "the worker was stopped by SIGTERM");
  }
}

}  // namespace sparkles
