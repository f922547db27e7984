// Starts one command in a session of its own. Between fork and exec only async-signal-safe calls
// are made; what goes wrong there is told through a pipe that exec closes.
#pragma once

#include <sys/types.h>

#include "process/launcher_protocol.h"

namespace sparkles {

// For the launcher only, which has prepared what a command inherits: a single thread, all signals
// blocked and their dispositions the default ones, /dev/null as descriptor 0, and no descriptor
// above 2 without CLOEXEC. Returns the command's process id once its exec has succeeded, or -1 and
// `failure`; then nothing is left of it. The command dies with the caller.
pid_t Spawn(const CommandImage& image, int output_fd, StartFailure& failure);

}  // namespace sparkles
