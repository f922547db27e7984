// Counts the tasks in a row that a machine could not run. The slots of one worker share a count.
#pragma once

#include <atomic>
#include <cstdint>

namespace sparkles {

// After this number of machine faults in a row a worker claims no more (docs/wire-entities.md), so
// that a bad machine does not use up the queue.
inline constexpr int kMaxMachineFaults = 5;
// The same for tasks in a row that failed because the same permission is missing.
inline constexpr int kMaxRefusals = 5;

// Holds only atomics, so that processes can share it in memory. Thread-safe.
struct FaultStreak {
  std::atomic<int> machine_faults = 0;   // tasks in a row
  std::atomic<int> refusals = 0;         // tasks in a row that failed for lack of `permission`
  std::atomic<uint64_t> permission = 0;  // a hash of its name; 0 if the last task lacked none

  bool is_over() const { return machine_faults >= kMaxMachineFaults || refusals >= kMaxRefusals; }
  // The next fault or refusal ends the worker again.
  void AllowOneMore() {
    if (machine_faults >= kMaxMachineFaults) machine_faults = kMaxMachineFaults - 1;
    if (refusals >= kMaxRefusals) refusals = kMaxRefusals - 1;
  }
};

}  // namespace sparkles
