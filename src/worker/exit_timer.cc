#include "worker/exit_timer.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace sparkles {
namespace {

// Read on the thread that receives the signal. Without locks, so that a signal handler may use it.
std::atomic<int> exit_code_of_timer = 0;
static_assert(std::atomic<int>::is_always_lock_free);

void OnTimerSignal(int, siginfo_t* info, void*) { ExitIfTimerSignal(info->si_code); }

}  // namespace

void StartExitTimer(absl::Duration after, int exit_code) {
  exit_code_of_timer = exit_code;
  struct sigaction action{};
  // Without a handler, the signal would not end PID 1 of a container.
  action.sa_sigaction = OnTimerSignal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGALRM, &action, nullptr);
  sigset_t alarm_only;  // the parent process may have blocked the signal
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &alarm_only, nullptr);
  alarm(static_cast<unsigned>(absl::ToInt64Seconds(absl::Ceil(after, absl::Seconds(1)))));
}

void ExitIfTimerSignal(int code) {
  if (code > 0) _exit(exit_code_of_timer);
}

void StopExitTimer() { alarm(0); }

}  // namespace sparkles
