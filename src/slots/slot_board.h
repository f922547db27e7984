// The metrics of all slots, in memory that the parent shares with the slots.
// A slot that dies takes nothing with it: the parent still has the counts.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "base/fd.h"
#include "base/worker_metrics.h"

namespace sparkles {

// Thread-safe. Each slot writes only its own metrics. The parent reads all of them.
class SlotBoard {
 public:
  // For the parent: memory for `slots` slots, in a file without a name. An error if the system
  // refuses such memory.
  static absl::StatusOr<std::unique_ptr<SlotBoard>> Create(int slots);
  // For a slot: the memory that the parent created for the same number of slots. `fd` is its file.
  static absl::StatusOr<std::unique_ptr<SlotBoard>> Attach(UniqueFd fd, int slots);
  ~SlotBoard();
  SlotBoard(const SlotBoard&) = delete;
  SlotBoard& operator=(const SlotBoard&) = delete;

  int slots() const { return slots_; }
  // The file of the memory, for Attach in another process.
  int fd() const { return fd_.get(); }
  // `slot` counts from 0.
  WorkerMetrics& metrics(int slot) { return memory_[slot]; }
  const WorkerMetrics& metrics(int slot) const { return memory_[slot]; }

  // Adds the metrics of all slots to `total`. The worker of several slots is unfit if all slots of
  // `live` are, and is stalled if one of these is.
  void AddTo(const std::vector<bool>& live, WorkerMetrics& total) const;

 private:
  SlotBoard(UniqueFd fd, WorkerMetrics* memory, int slots);

  const UniqueFd fd_;
  WorkerMetrics* const memory_;  // an array in the shared memory
  const int slots_;
};

}  // namespace sparkles
