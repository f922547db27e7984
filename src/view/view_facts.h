// What a live view of a run shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/current_task.h"

namespace sparkles {

// Of one worker, or of one slot of a worker.
struct SlotFacts {
  TaskSnapshot task;
  absl::Duration task_time;     // since the claim
  double bytes_per_second = 0;  // both directions
};

struct ViewFacts {
  // The number of all tasks, and of those that wait. nullopt if the queue does not tell.
  std::optional<size_t> tasks;
  std::optional<size_t> waiting;
  size_t complete = 0;
  size_t nonzero = 0;  // complete, with an exit code other than 0
  size_t failed = 0;
  size_t running = 0;
  absl::Duration elapsed;
  std::optional<absl::Duration> left;  // an estimate
  std::vector<SlotFacts> slots;        // by number (SPARKLES_SLOT)
  size_t id_columns = 0;  // columns of the widest task id so far, so that columns do not move
  std::string note;       // such as "stopping", or empty
};

}  // namespace sparkles
