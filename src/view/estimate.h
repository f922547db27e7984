// Estimates how long a run still takes.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace sparkles {

// What is known about a run. A run begins when its view begins.
struct RunPace {
  absl::Duration elapsed;
  size_t ended = 0;                     // tasks that have ended in this run
  absl::Duration time_of_ended;         // the sum of their times
  absl::Duration time_worked;           // the sum of the times that tasks ran in this run
  size_t waiting = 0;                   // tasks
  std::vector<absl::Duration> running;  // how long each running task has run so far
};

// The time until all tasks have ended. Assumes that the other tasks take as long as those that have
// ended, and that as many tasks run at a time as so far. nullopt if no task has ended yet, or no
// task is left.
std::optional<absl::Duration> EstimateTimeLeft(const RunPace& pace);

}  // namespace sparkles
