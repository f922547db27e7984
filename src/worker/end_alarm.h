// The last resort: the process ends at a given time, whatever hangs.
#pragma once

#include "absl/time/time.h"

namespace sparkles {

// Ends the process with `exit_code` when `after` (rounded up to seconds) has passed; takes the
// place of an earlier alarm. By a signal handler: no lock, disk or thread can keep it from that.
void EndByAlarm(absl::Duration after, int exit_code);
void StopEndAlarm();

// For other receivers of SIGALRM. `code` is the signal's si_code. Ends the process if the kernel
// sent the signal, which it does for EndByAlarm only. Safe in a signal handler.
void EndIfAlarm(int code);

}  // namespace sparkles
