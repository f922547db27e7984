#include "worker/end_alarm.h"

#include <signal.h>
#include <unistd.h>

namespace sparkles {
namespace {

volatile sig_atomic_t the_exit_code = 0;

void OnAlarm(int, siginfo_t* info, void*) { EndIfAlarm(info->si_code); }

}  // namespace

void EndByAlarm(absl::Duration after, int exit_code) {
  the_exit_code = exit_code;
  struct sigaction action{};
  action.sa_sigaction = OnAlarm;  // without a handler PID 1 of a container would survive
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGALRM, &action, nullptr);
  sigset_t alarm_only;  // who started us may have blocked it
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &alarm_only, nullptr);
  alarm(static_cast<unsigned>(absl::ToInt64Seconds(absl::Ceil(after, absl::Seconds(1)))));
}

void EndIfAlarm(int code) {
  if (code > 0) _exit(the_exit_code);
}

void StopEndAlarm() { alarm(0); }

}  // namespace sparkles
