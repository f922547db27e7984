// The launcher: a tiny process, forked when the worker starts, that forks and waits for every
// command. It is small, so a command's ru_maxrss does not begin with the worker's memory and fork
// stays cheap; and it outlives a killed worker for long enough to end what that one was running.
#pragma once

#include <string>

#include "base/fd.h"

namespace sparkles {

// The whole life of the launcher, in the process just forked for it. Serves requests from `socket`
// (launcher_protocol.h) until its other end is closed, which the kernel does even for a worker that
// dies of kill -9; then it ends all processes below itself and exits.
[[noreturn]] void RunLauncher(UniqueFd socket, const std::string& proc_root);

}  // namespace sparkles
