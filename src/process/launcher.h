// The launcher: a small process, forked when the worker starts, that starts and reaps all commands.
// A command inherits its first ru_maxrss from the process that forks it, so that process must be
// small. If the worker is killed, the launcher ends the running command.
#pragma once

#include <string>

#include "base/fd.h"

namespace sparkles {

// Runs the launcher in a process that was just forked for it. Serves requests from `socket`
// (launcher_protocol.h) until the other end is closed. The kernel closes that end even if the
// worker dies of kill -9. Then ends all its descendants and exits.
[[noreturn]] void RunLauncher(UniqueFd socket, const std::string& proc_root);

}  // namespace sparkles
