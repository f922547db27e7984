// Counts signs of life for the watchdog.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/thread.h"

namespace sparkles {

// Counts signs of life for the watchdog. Code that makes progress calls Beat, and so does code that
// waits without a limit (for a command, for tasks, for the next attempt). Thread-safe.
class Heartbeat {
 public:
  // Ignored on housekeeping threads (base/thread.h).
  void Beat() {
    if (!OnHousekeepingThread()) beats_.fetch_add(1, std::memory_order_relaxed);
  }
  uint64_t beats() const { return beats_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> beats_ = 0;
};

}  // namespace sparkles
