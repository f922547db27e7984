// What every thread of this process is doing, as text for a person.
#pragma once

#include <functional>
#include <string>

#include "absl/strings/string_view.h"

namespace sparkles {

// Calls `line` for a head line and then for each thread, with its id, name, state, and where it
// waits as far as the kernel tells, and its call stack. Addresses are those in the file that is
// named with them, ready for `llvm-symbolizer --obj=FILE` (or FILE.debug) or `addr2line -e FILE`; a
// return address is shown as that of the call. Needs PrepareThreadStacks for the stacks.
// Takes up to a quarter of a second for each thread that does not answer; ends when `line` is
// false.
void DumpThreads(const std::function<bool(absl::string_view)>& line,
                 const std::string& proc_root = "/proc");

}  // namespace sparkles
