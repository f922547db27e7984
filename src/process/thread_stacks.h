// Where a thread of this process stands: its call stack, as addresses.
// The one hard idea: only the thread itself can tell, so it is interrupted by a signal whose
// handler walks the stack. Where the unwinder cannot pass the frame of a system call (musl has no
// unwind tables) the handler looks for what can be a return address on the stack instead.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace sparkles {

enum class StackSource {
  kUnwound,  // each address is a frame
  kScanned,  // some addresses may be left over from calls that have returned
};

struct ThreadStack {
  StackSource source = StackSource::kUnwound;
  // Innermost first: where it is, then the return addresses. Empty if the thread did not answer:
  // it blocks the signal, or the kernel does not let go of it.
  std::vector<uintptr_t> addresses;
};

// The signal that asks a thread for its stack.
int ThreadStackSignal();

// Installs the handler of ThreadStackSignal, which ReadThreadStack needs. Call once, before other
// threads exist.
void PrepareThreadStacks();

// Interrupts the thread `thread` of this process for a moment; its system calls may end with EINTR.
// Waits no longer than `patience`. One call at a time. `scan_only` is for tests.
ThreadStack ReadThreadStack(pid_t thread, absl::Duration patience, bool scan_only = false);

}  // namespace sparkles
