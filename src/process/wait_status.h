// The end of a process in the words that result.json and Datastore use. The words for signals are
// those of Go's syscall.Signal on Linux, because readers of result.json know them.
#pragma once

#include <string>

namespace sparkles {

// `wait_status` is as of waitpid(2), of a process that has ended.

// result.json's return_code: "0" ... "255", or "signaled(killed)" with the signal's name.
std::string ReturnCodeText(int wait_status);

// The task's exit_code, which clients read as a number: "0" ... "255", 128+n for signal n.
std::string ExitCodeText(int wait_status);

}  // namespace sparkles
