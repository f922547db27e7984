// Gives a launcher that is forked late, from a worker that has grown, the memory of a new program:
// what a command's peak begins with, and what a fork costs, are then as small as at the start.
#pragma once

#include <string>

namespace sparkles {

// For the process just forked to be a launcher: becomes this same program anew, which serves
// `socket` (see RunLauncher). Returns if that cannot be had, for example without /proc; nothing has
// changed then.
void Relaunch(int socket, const std::string& proc_root);

// The first thing in main. Does not return in a process that Relaunch has made.
void RunRelaunched(int argc, char** argv);

}  // namespace sparkles
