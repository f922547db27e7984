// Turns a launcher that was forked from a large worker into a small new process.
// The launcher's memory is where a command's peak starts, and it determines the cost of each fork.
#pragma once

#include <string>

namespace sparkles {

// For a process that was just forked to be a launcher. Executes this program again, and the new
// program serves `socket` (see RunLauncher). If that fails, for example without /proc, returns
// without a change.
void Relaunch(int socket, const std::string& proc_root);

// Call this first in main. Does not return in a process that Relaunch has started.
void RunRelaunched(int argc, char** argv);

}  // namespace sparkles
