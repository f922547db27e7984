// What all slots of a worker share: their metrics and counts, in memory of the parent.
// A slot that dies takes nothing with it: the parent still has the counts.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/fd.h"
#include "base/worker_metrics.h"
#include "worker/fault_streak.h"

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
  WorkerMetrics& metrics(int slot) { return memory_->metrics[slot]; }
  const WorkerMetrics& metrics(int slot) const { return memory_->metrics[slot]; }
  // The faults in a row of all slots together.
  FaultStreak& streak() { return memory_->streak; }
  // True if no process of this worker has asked for this message yet, so that the caller should log
  // the message. After kMaxNews messages always true.
  bool IsNews(absl::string_view message);
  static constexpr size_t kMaxNews = 256;

  // Adds the metrics of all slots to `total`. The worker of several slots is unfit if no slot of
  // `live` is fit, and is stalled if one of these is.
  void AddTo(const std::vector<bool>& live, WorkerMetrics& total) const;

 private:
  struct Memory {
    FaultStreak streak;
    std::array<std::atomic<uint64_t>, kMaxNews> news;  // TextKeys of messages; 0: unused
    WorkerMetrics metrics[1];                          // in fact one for each slot
  };
  static size_t BytesFor(int slots);
  static absl::StatusOr<Memory*> Map(int fd, int slots);
  SlotBoard(UniqueFd fd, Memory* memory, int slots);

  const UniqueFd fd_;
  Memory* const memory_;  // shared
  const int slots_;
};

}  // namespace sparkles
