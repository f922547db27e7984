// Formats how a process ended, for result.json and Datastore.
// Signal names are those of Go's syscall.Signal on Linux, because readers of result.json expect
// them. `wait_status` is as of waitpid(2), of a process that has ended.
#pragma once

#include <string>

namespace sparkles {

// return_code in result.json: "0" ... "255", or "signaled(killed)" with the signal's name.
std::string ReturnCodeText(int wait_status);

// The task's exit_code in Datastore, which clients read as a number: "0" ... "255", or 128+n for
// signal n.
std::string ExitCodeText(int wait_status);

}  // namespace sparkles
