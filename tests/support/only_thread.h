// Waits for threads that earlier tests left behind.
#pragma once

#include <filesystem>
#include <iterator>

#include "tests/support/eventually.h"
#include "tests/support/sanitizers.h"

namespace sparkles {

// The first thread that a program starts also starts a thread of ThreadSanitizer, which blocks all
// signals.
inline constexpr int kSanitizerThreads = kThreadSanitizer ? 1 : 0;

// True as soon as the calling thread is the only one of the test program; false after 30 seconds.
// A thread that still ends would receive a signal that a test sends to its own process. If the
// thread does not block the signal, the signal ends the test program.
inline bool AwaitOnlyThread() {
  return Eventually([] {
    const std::filesystem::directory_iterator threads("/proc/self/task");
    return std::distance(begin(threads), end(threads)) <= 1 + kSanitizerThreads;
  });
}

}  // namespace sparkles
