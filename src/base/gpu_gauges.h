// The latest sample of each GPU, for the worker's metrics.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace sparkles {

// Thread-safe. The values are independent: a reader can see one change before another.
struct GpuGauge {
  static_assert(std::atomic<int64_t>::is_always_lock_free, "may be in shared memory");
  static constexpr int64_t kUnknown = -1;

  std::atomic<int64_t> memory_total = kUnknown;  // bytes
  std::atomic<int64_t> memory_used = kUnknown;   // bytes
  std::atomic<int64_t> utilization = kUnknown;   // percent, 0 to 100

  void Clear() { memory_total = memory_used = utilization = kUnknown; }
  // Takes the values of `other` that are larger. An unknown value is less than any other.
  void TakeLarger(const GpuGauge& other) {
    memory_total = std::max(memory_total.load(), other.memory_total.load());
    memory_used = std::max(memory_used.load(), other.memory_used.load());
    utilization = std::max(utilization.load(), other.utilization.load());
  }
};

// The largest machines of Google and NVIDIA have 16 GPUs. Others beyond that are not recorded.
constexpr int kMaxGpus = 16;

// By the index that nvidia-smi shows.
using GpuGauges = std::array<GpuGauge, kMaxGpus>;

}  // namespace sparkles
