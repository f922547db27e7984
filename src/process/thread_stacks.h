// Reads the call stack of a thread of this process, as addresses.
// Only the thread itself can walk its stack, so a signal interrupts the thread and the handler
// walks the stack. If the unwinder cannot pass the frame of a system call (musl has no unwind
// tables), the handler scans the stack for words that can be return addresses.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace sparkles {

enum class StackSource {
  kUnwound,  // each address is a frame
  kScanned,  // some addresses may belong to calls that have already returned
};

struct ThreadStack {
  StackSource source = StackSource::kUnwound;
  // Innermost first: the current address, then the return addresses. Empty if the thread did not
  // answer: it blocks the signal, or hangs in the kernel.
  std::vector<uintptr_t> addresses;
};

// The signal that asks a thread for its stack.
int ThreadStackSignal();

// Installs the handler for ThreadStackSignal. Call once, before other threads exist.
void PrepareThreadStacks();

// Briefly interrupts the thread `thread` of this process. Its system calls may fail with EINTR.
// Waits at most `timeout`. Only one thread may call this at a time. `scan_only` is for tests.
ThreadStack ReadThreadStack(pid_t thread, absl::Duration timeout, bool scan_only = false);

}  // namespace sparkles
