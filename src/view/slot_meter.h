// Reads what one worker, or one slot of a worker, does now.
#pragma once

#include <cstdint>
#include <deque>

#include "absl/time/time.h"
#include "base/worker_metrics.h"
#include "view/view_facts.h"

namespace sparkles {

// Measures the transfer rate of the last seconds. Used by one thread.
class SlotMeter {
 public:
  // Borrows `metrics`, which may lie in memory that another process writes.
  explicit SlotMeter(const WorkerMetrics& metrics) : metrics_(metrics) {}

  // Call it some times a second. While the task is being changed, it is as before.
  SlotFacts Read(absl::Time now);

 private:
  struct Sample {
    absl::Time time;
    uint64_t bytes;
  };

  double Rate(absl::Time now);

  const WorkerMetrics& metrics_;
  TaskSnapshot task_;
  std::deque<Sample> samples_;  // of this phase, oldest first
};

}  // namespace sparkles
