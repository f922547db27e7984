// Describes the state and the stack of each thread of this process, for the log.
#pragma once

#include <functional>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

// Calls `line` for a head line, and then twice for each thread: with its id, name, state and, as
// far as the kernel shows it, where the thread waits; and with its call stack. Stops when `line`
// returns false. Addresses are relative to the file named with them, for
// `llvm-symbolizer --obj=FILE` (or FILE.debug) or `addr2line -e FILE`. A return address is shown as
// the address of its call. Stacks need PrepareThreadStacks. Waits up to a quarter of a second for
// each thread that does not answer.
void DumpThreads(const std::function<bool(absl::string_view)>& line,
                 const std::string& proc_root = "/proc");

}  // namespace sparkles
