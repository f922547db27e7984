// Ends the process at a given time, even if all threads hang.
#pragma once

#include "absl/time/time.h"

namespace sparkles {

// Ends the process with `exit_code` when `after` (rounded up to seconds) has passed. Replaces an
// earlier timer. Uses a signal handler (SIGALRM), so that no lock, disk or thread can prevent the
// exit.
void StartExitTimer(absl::Duration after, int exit_code);
void StopExitTimer();

// For code that receives SIGALRM in another way. `code` is the signal's si_code. Ends the process
// if the kernel has sent the signal, because only the timer makes it do so. Async-signal-safe.
void ExitIfTimerSignal(int code);

}  // namespace sparkles
