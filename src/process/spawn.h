// Starts one command in its own session.
// Between fork and exec the child makes only async-signal-safe calls. It reports a failure through
// a pipe that a successful exec closes.
#pragma once

#include <sys/types.h>

#include "process/launcher_protocol.h"

namespace sparkles {

// For the launcher only. The caller must have a single thread, all signals blocked and at their
// default action, /dev/null as descriptor 0, and CLOEXEC on all descriptors above 2. Returns the
// command's process id after its exec has succeeded. Otherwise returns -1, sets `failure`, and
// leaves no process behind. The kernel kills the command when the caller dies.
pid_t Spawn(const CommandImage& image, int output_fd, StartFailure& failure);

}  // namespace sparkles
